from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowyard.errors import StoreError
from flowyard.records import ErrorRecord, LineResult, NodeResult, RunRecord, Usage
from flowyard.runs.results import LinePlaces, ResultWriter, read_lines, write_outputs
from flowyard.sessions.encoding import LineEncoder, line_from_json, line_to_json
from flowyard.sessions.session import FinishedLine


def run_in(folder: Path) -> RunRecord:
    return RunRecord("r", "running", "f", folder)


def stored(result: LineResult, folder: Path) -> FinishedLine:
    return LineEncoder(folder / "media").finished(result)


def line(number: int, **outputs: Any) -> LineResult:
    return LineResult(number, "completed", {"x": number}, outputs, nodes=(NodeResult("n", "completed", 1),))


FAILED = LineResult(
    1, "failed", {}, {}, ErrorRecord("ValueError", "no", "n", "a.py:3", "trace"), (NodeResult("n", "bypassed"),)
)


def test_lines_are_read_in_order_and_outputs_hold_the_completed_ones(tmp_path: Path) -> None:
    run = run_in(tmp_path)
    with ResultWriter(run.lines_path) as writer:
        for result in (line(2, y="ü"), FAILED, line(0, y=None)):
            writer.append(stored(result, tmp_path))
    assert list(read_lines(run)) == [line(0, y=None), FAILED, line(2, y="ü")]
    write_outputs(run)
    assert [json.loads(text) for text in run.outputs_path.read_text("utf-8").splitlines()] == [
        {"line_number": 0, "y": None},
        {"line_number": 2, "y": "ü"},
    ]
    assert sorted(file.name for file in tmp_path.iterdir()) == ["lines.jsonl", "outputs.jsonl"]


def test_each_line_is_on_disk_at_once(tmp_path: Path) -> None:
    run = run_in(tmp_path)
    with ResultWriter(run.lines_path) as writer:
        writer.append(stored(line(0), tmp_path))
        assert list(read_lines(run)) == [line(0)]


@pytest.mark.parametrize("torn", [b"{", b'{"line_number": 7', line_to_json(line(7)).encode()[:-1]])
def test_a_torn_last_record_is_left_out(tmp_path: Path, torn: bytes) -> None:
    run = run_in(tmp_path)
    run.lines_path.write_bytes(stored(line(0), tmp_path).text + b"\n" + torn)
    assert list(read_lines(run)) == [line(0)]


def test_a_run_without_lines(tmp_path: Path) -> None:
    assert list(read_lines(run_in(tmp_path))) == []
    write_outputs(run_in(tmp_path))
    assert run_in(tmp_path).outputs_path.read_text() == ""


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@settings(deadline=None)
@given(st.integers(0), st.dictionaries(st.text(), values), values, st.none() | st.text())
def test_a_line_survives_its_json(number: int, outputs: dict[str, Any], output: Any, trace: str | None) -> None:
    error = ErrorRecord("E", "m", traceback=trace)
    result = LineResult(
        number, "failed", outputs, outputs, error, (NodeResult("n", "failed", output, error, 1.5, Usage(1, 2, 3)),)
    )
    text = line_to_json(result)
    assert "\n" not in text
    assert line_from_json(json.loads(text)) == result


def test_a_changed_byte_is_found_and_never_served(tmp_path: Path) -> None:
    run = run_in(tmp_path)
    raw = stored(line(0, y="text"), tmp_path).text
    for place in range(len(raw)):
        run.lines_path.write_bytes(raw[:place] + bytes([raw[place] ^ 4]) + raw[place + 1 :] + b"\n")
        with pytest.raises((StoreError, UnicodeDecodeError)):
            list(read_lines(run))


def test_the_last_of_several_results_of_a_line_counts(tmp_path: Path) -> None:
    run = run_in(tmp_path)
    with ResultWriter(run.lines_path) as writer:
        for result in (FAILED, line(0), line(1, y=3)):
            writer.append(stored(result, tmp_path))
    assert list(read_lines(run)) == [line(0), line(1, y=3)]


@given(st.lists(st.integers(-5, 40) | st.integers(-(10**15), 10**15)))
def test_places_are_in_the_order_of_lines(numbers: list[int]) -> None:
    places, last = LinePlaces(), {}
    for offset, number in enumerate(numbers):
        places.put(number, offset)
        last[number] = offset
    assert list(places.in_order()) == [last[number] for number in sorted(last)]
    assert all(number in places for number in numbers)
    assert 41 not in places
