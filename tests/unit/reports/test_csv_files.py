"""The tables: their columns, and cells that a spreadsheet must not run."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from flowyard.records import ErrorRecord, LineResult
from flowyard.reports import write_reports
from flowyard.reports.csv_files import safe_cell

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
    _, details, metrics = write_reports(lab.experiment, tmp_path / "out")
    return read(details), read(metrics)


def test_details_has_a_row_for_every_line(tables: tuple[list[dict[str, str]], list[dict[str, str]]]) -> None:
    first, second, third = tables[0]
    assert list(first)[:6] == ["experiment", "dataset", "run", "variant.classify", "line_number", "status"]
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
