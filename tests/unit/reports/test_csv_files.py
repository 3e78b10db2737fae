"""The tables: their columns, and cells that a spreadsheet must not run."""

from __future__ import annotations

import csv
import re
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import pytest
from evidence_helper import add_version, evidence_of, gate, interval
from hypothesis import given
from hypothesis import strategies as st

from flowyard.records import ErrorRecord, LineResult
from flowyard.reports import write_reports
from flowyard.reports.csv_cells import safe_cell, write_table
from flowyard.reports.file_names import file_stem

if TYPE_CHECKING:
    from tests.unit.reports.conftest import Lab


def read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def tables(lab: Lab, tmp_path: Path) -> tuple[list[dict[str, str]], list[dict[str, str]]]:
    error = ErrorRecord("ProviderError", "=HYPERLINK(1)", "classify")
    lines = [
        LineResult(1, "failed", {"question": "@SUM"}, {}, error),
        LineResult(0, "completed", {"question": "=cmd()", "n": -3}, {"category": "zürich\n📄"}, duration_s=0.25),
        LineResult(2, "completed", {"question": "x"}, {"extra": {"a": [1]}}),
    ]
    name = lab.variant("a", lines)
    lab.variants[name] = {"classify": "a\ud800"}
    lab.evaluation("grade", name, [LineResult(0, "completed", {}, {"grade": "ok"})], accuracy=0.5)
    details, metrics = write_reports(lab.experiment, None, tmp_path / "out", ["csv"])["csv"]
    return read(details), read(metrics)


def test_details_has_a_row_for_every_line(tables: tuple[list[dict[str, str]], list[dict[str, str]]]) -> None:
    first, second, third = tables[0]
    assert list(first)[:7] == ["experiment", "key", "env", "dataset", "run", "version", "variant.classify"]
    assert [first["key"], first["line_number"], first["status"]] == ["triage-1", "0", "completed"]
    assert "a\\ud800" in first["version"]
    assert (first["inputs.question"], first["inputs.n"], first["outputs.category"]) == ("'=cmd()", "-3", "zürich\n📄")
    assert (first["eval.grade.grade"], first["duration_ms"], first["simulated"]) == ("ok", "250.0", "false")
    assert (second["status"], second["inputs.question"], second["error.message"]) == (
        "failed",
        "'@SUM",
        "'=HYPERLINK(1)",
    )
    assert (third["variant.classify"], third["outputs.extra"]) == ("a\\ud800", '{"a": [1]}')


def test_metrics_has_a_row_for_every_variant(tables: tuple[list[dict[str, str]], list[dict[str, str]]]) -> None:
    (row,) = tables[1]
    assert (row["variant.classify"], row["grade.accuracy"]) == ("a\\ud800", "0.5")
    assert (row["lines_total"], row["lines_failed"], row["lines_evaluated"]) == ("3", "1", "1")
    assert float(row["coverage"]) == pytest.approx(1 / 3)


@pytest.mark.parametrize("text", ["=1+1", "+cmd", "-cmd", "@x", "\tx", "\r=x", "＝1"])
def test_text_that_a_spreadsheet_runs_is_defused(text: str) -> None:
    assert safe_cell(text) == f"'{text}"


@pytest.mark.parametrize(
    ("value", "cell"), [(-1.5, "-1.5"), ("-1.5", "-1.5"), ("a=b", "a=b"), (None, ""), (True, "true"), ("", "")]
)
def test_numbers_and_harmless_text_are_left_alone(value: Any, cell: str) -> None:
    assert safe_cell(value) == cell


@given(st.lists(st.text(), min_size=1, max_size=4))
def test_any_text_survives_a_reader(texts: list[str]) -> None:
    columns = [f"c{place}" for place in range(len(texts))]
    with TemporaryDirectory() as folder:
        path = write_table(Path(folder) / "t.csv", columns, [dict(zip(columns, texts, strict=True)), {}])
        with path.open(encoding="utf-8", newline="") as file:
            header, row, empty = csv.reader(file)
    assert header == columns
    assert row == [safe_cell(text).encode("utf-8", "backslashreplace").decode() for text in texts]
    assert not any(cell.startswith(("=", "+", "@", "\t", "\r", "\n")) for cell in row if not is_number(cell))
    assert set(empty) == {""}


def is_number(text: str) -> bool:
    try:
        return float(text) is not None
    except ValueError:
        return False


def test_per_version_files_have_the_same_rows_as_the_whole(lab: Lab, tmp_path: Path) -> None:
    for variant in ("a", "B", "B/c"):
        add_version(lab, variant, failed=1)
    details, _, *own = write_reports(lab.experiment, None, tmp_path / "out", ["csv"])["csv"]
    assert own[0] == tmp_path / "out" / "details" / "tickets.classify=a.csv"
    assert len({path.name.lower() for path in own}) == 3
    assert [row for path in own for row in read(path)] == sorted(read(details), key=lambda row: order(row, own))
    assert len(read(details)) == 12


def order(row: dict[str, str], own: list[Path]) -> int:
    return [read(path)[0]["version"] for path in own].index(row["version"])


def test_evidence_has_tables_of_its_own(lab: Lab, tmp_path: Path) -> None:
    for variant in "ab":
        add_version(lab, variant)
    found = gate("fail", "=accuracy", version="classify=b", value=0.5, threshold=0.9, interval=interval(0.4, 0.6))
    evidence = evidence_of("classify=a", "classify=b", gates=[found], verdict="fail")
    details, _, estimates, differences, gates, *_ = write_reports(lab.experiment, evidence, tmp_path / "out", ["csv"])[
        "csv"
    ]
    assert [path.name for path in (estimates, differences, gates)] == ["estimates.csv", "differences.csv", "gates.csv"]
    assert [row["score.accuracy"] for row in read(details)][:3] == ["1.0", "1.0", ""]
    assert [(row["version"], row["slice"], row["value"]) for row in read(estimates)] == [
        ("classify=a", "", "0.9"),
        ("classify=b", "", "0.8"),
        ("classify=a", "category=hard", "0.9"),
        ("classify=b", "category=hard", "0.8"),
    ]
    (changed,) = read(differences)
    assert (changed["baseline"], changed["winner"], changed["test"]) == ("classify=a", "worse", "McNemar mid-p")
    assert (changed["won"], changed["lost"], changed["tied"], changed["interval_method"]) == ("5", "1", "14", "Wilson")
    (judged,) = read(gates)
    assert (judged["gate"], judged["verdict"], judged["low"]) == ("'=accuracy", "fail", "0.4")


NAMES = st.text("ab.,_= A/", max_size=6) | st.text()


@given(NAMES, st.none() | NAMES, NAMES, st.none() | NAMES)
def test_different_names_have_different_files(name: str, label: str | None, other: str, second: str | None) -> None:
    stems = [file_stem(name, label), file_stem(other, second)]
    assert all(re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9=,._-]{0,120}", stem) for stem in stems)
    assert (stems[0].casefold() == stems[1].casefold()) == ((name, label) == (other, second))


def test_files_have_readable_names() -> None:
    label = "classify=few_shot, classify.temperature=0.5"
    assert file_stem("tickets", label) == "tickets.classify=few_shot,classify.temperature=0.5"
