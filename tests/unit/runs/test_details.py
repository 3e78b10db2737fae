from __future__ import annotations

from pathlib import Path

from flowyard.records import ErrorRecord, LineResult, RunRecord
from flowyard.runs.details import FAILED, details_rows
from flowyard.runs.results import ResultWriter
from flowyard.sessions.encoding import LineEncoder


def run_of(folder: Path, *lines: LineResult) -> RunRecord:
    run = RunRecord("r", "completed", "f", folder)
    with ResultWriter(run.lines_path) as writer:
        for line in lines:
            writer.append(LineEncoder(run.path / "media").finished(line))
    return run


def failed(number: int) -> LineResult:
    return LineResult(number, "failed", {"x": number}, {}, ErrorRecord("E", "m"))


def test_inputs_then_outputs_by_line(tmp_path: Path) -> None:
    last = LineResult(2, "completed", {"x": 2, "k": "own"}, {"a": 1, "b": None})
    run = run_of(tmp_path, last, failed(1), LineResult(0, "completed", {"x": 0}, {"a": [1]}))
    rows = details_rows(run)
    assert [list(row) for row in rows] == [
        ["inputs.x", "inputs.k", "inputs.line_number", "outputs.a", "outputs.b"],
    ] * 3
    assert [list(row.values()) for row in rows] == [
        [0, None, 0, [1], None],
        [1, None, 1, FAILED, FAILED],
        [2, "own", 2, 1, None],
    ]


def test_when_every_line_failed_there_are_no_outputs(tmp_path: Path) -> None:
    rows = details_rows(run_of(tmp_path, failed(0), failed(1)))
    assert rows == [{"inputs.x": 0, "inputs.line_number": 0}, {"inputs.x": 1, "inputs.line_number": 1}]


def test_rows_are_limited(tmp_path: Path) -> None:
    run = run_of(tmp_path, *(LineResult(number, "completed", {}, {"a": number}) for number in range(120)))
    assert len(details_rows(run)) == 100
    assert len(details_rows(run, most=None)) == 120
    assert [row["outputs.a"] for row in details_rows(run, most=2)] == [0, 1]
