"""The lines of a run as one flat table, as prompt flow's ``get_details`` gives it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

from flowyard.records import LineResult, RunRecord
from flowyard.runs.results import read_lines

__all__ = ["FAILED", "details_rows"]

FAILED = "(Failed)"
"""What stands in every output column of a failed line. It is made for this table alone and never enters a metric."""


def details_rows(run: RunRecord, *, most: int | None = 100) -> list[dict[str, Any]]:
    """One row a line, ascending: ``inputs.<name>`` and ``inputs.line_number``, then ``outputs.<name>``.

    Every row has every column: None where a line has no such value, ``(Failed)`` in the outputs of a failed line. When
    no line completed there are no output columns. ``most`` limits the rows; None gives all.
    """
    lines = list(islice(read_lines(run), most))
    inputs = [*(name for name in _names(line.inputs for line in lines) if name != "line_number"), "line_number"]
    outputs = _names(line.outputs for line in lines)
    return [dict(_cells(line, inputs, outputs)) for line in lines]


def _cells(line: LineResult, inputs: Iterable[str], outputs: Iterable[str]) -> Iterator[tuple[str, Any]]:
    for name in inputs:
        yield f"inputs.{name}", line.line_number if name == "line_number" else line.inputs.get(name)
    for name in outputs:
        yield f"outputs.{name}", FAILED if line.status == "failed" else line.outputs.get(name)


def _names(values: Iterable[Mapping[str, Any]]) -> list[str]:
    return list(dict.fromkeys(name for mapping in values for name in mapping))
