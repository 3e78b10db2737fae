"""Runs that a person chose, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from flowyard.records import LineCounts, LineResult, RunRecord
from flowyard.reports import compare_runs, evidence_of_runs, summarize, write_page
from flowyard.runs.results import ResultWriter
from flowyard.sessions.encoding import LineEncoder


@pytest.fixture
def lines(tmp_path: Path) -> Path:
    with ResultWriter(tmp_path / "lines.jsonl") as writer:
        line = LineResult(0, "completed", {"x": 1}, {"y": 2}, duration_s=0.1)
        writer.append(LineEncoder(tmp_path / "media").finished(line))
    return tmp_path


def run(lines: Path, name: str, **more: Any) -> RunRecord:
    done = RunRecord(name, "completed", "flows/answer/flow.dag.yaml", lines, data="/p/data.jsonl")
    return replace(done, lines=LineCounts(1, 1, 0), **more)


def score(lines: Path, name: str, of: str, **more: Any) -> RunRecord:
    return run(lines, name, base_run=of, role="evaluation", flow="flows/grade/flow.dag.yaml", **more)


def shown(runs: Sequence[RunRecord]) -> list[tuple[str, str]]:
    return [(row.dataset, row.label) for row in summarize(compare_runs(runs)).rows]


def test_runs_over_the_same_data_are_compared(lines: Path) -> None:
    first, second = run(lines, "a", display_name="First", metrics={"m": 1}), run(lines, "b", metrics={"m": 2})
    (table,) = summarize(compare_runs([first, second, first])).datasets
    assert [row.label for row in table.rows] == ["First", "b"]
    assert ["m" in row.best for row in table.rows] == [False, True]


def test_data_of_the_same_name_elsewhere_is_other_data(lines: Path) -> None:
    runs = [run(lines, "a", data="/p/one/data.jsonl"), run(lines, "b", data="/p/two/data.jsonl")]
    assert shown(runs) == [("one/data.jsonl", "a"), ("two/data.jsonl", "b")]


def test_an_evaluation_of_a_shown_run_is_its_score(lines: Path) -> None:
    (row,) = summarize(compare_runs([score(lines, "s", "a", metrics={"acc": 0.5}), run(lines, "a")])).rows
    assert dict(row.metrics) == {"grade.acc": 0.5}


def test_one_evaluator_twice_keeps_both_numbers(lines: Path) -> None:
    runs = [run(lines, "a"), *(score(lines, name, "a", metrics={"acc": value}) for name, value in (("s", 1), ("t", 2)))]
    (row,) = summarize(compare_runs(runs)).rows
    assert dict(row.metrics) == {"grade (s).acc": 1, "grade (t).acc": 2}


def test_an_evaluation_alone_is_a_run(lines: Path) -> None:
    assert shown([score(lines, "s", "a")]) == [("data.jsonl", "s")]


def test_an_evaluation_of_an_evaluation_is_shown(lines: Path) -> None:
    runs = [run(lines, "a"), score(lines, "s", "a"), score(lines, "t", "s")]
    assert [label for _, label in shown(runs)] == ["a", "t"]


def test_runs_over_the_same_data_are_tested_line_by_line(lines: Path, tmp_path: Path) -> None:
    comparison = compare_runs([run(lines, "a"), run(lines, "b")])
    found = evidence_of_runs(comparison)
    assert found is not None
    assert (found.baseline, {(each.version, each.baseline) for each in found.differences}) == ("a", {("b", "a")})
    assert "Differences are not tested" not in write_page(comparison, found, tmp_path / "p.html").read_text("utf-8")


def test_runs_over_different_data_are_not(lines: Path) -> None:
    apart = [run(lines, "a"), run(lines, "b", data="/p/other.jsonl")]
    assert evidence_of_runs(compare_runs(apart)) is None
    assert evidence_of_runs(compare_runs([apart[0], score(lines, "s", "a")])) is None


def test_hostile_labels_stay_text(lines: Path, tmp_path: Path) -> None:
    page = write_page(
        compare_runs([run(lines, "a", display_name="<script>alert(1)</script>")]), None, tmp_path / "p.html"
    )
    text = page.read_text("utf-8")
    assert text.count("<script>") == 1
    assert "&lt;script&gt;alert(1)" in text
