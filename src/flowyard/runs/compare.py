"""Which lines of some runs came out differently."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flowyard._util.files import dump_json
from flowyard.records import LineResult, RunRecord
from flowyard.runs.results import read_lines

__all__ = ["LineComparison", "compare_lines", "differing_outputs"]


@dataclass(frozen=True, slots=True)
class LineComparison:
    """One line in several runs: ``results`` has a run's line by the run's name, None where it has none."""

    line_number: int
    results: Mapping[str, LineResult | None]
    same: bool

    @property
    def inputs(self) -> Mapping[str, Any]:
        """What the line was given, by the first run that has it."""
        return next((line.inputs for line in self.results.values() if line), {})


def compare_lines(runs: Sequence[RunRecord]) -> Iterator[LineComparison]:
    """Every line that any of the runs has, ascending; one line of each run is in memory at a time.

    Lines are the same when all runs have them, they ended alike and their outputs are equal. Times and usage do not
    count, nor why a line failed.
    """
    readers = {run.name: read_lines(run) for run in runs}
    heads = {name: next(lines, None) for name, lines in readers.items()}
    while present := [line.line_number for line in heads.values() if line is not None]:
        number = min(present)
        found = {name: line if line and line.line_number == number else None for name, line in heads.items()}
        yield LineComparison(number, found, _are_same(list(found.values())))
        for name, line in found.items():
            if line is not None:
                heads[name] = next(readers[name], None)


def differing_outputs(line: LineComparison) -> list[str]:
    """The names of the outputs that are not the same in all runs that completed the line."""
    outputs = [each.outputs for each in line.results.values() if each and each.status == "completed"]
    names = dict.fromkeys(name for each in outputs for name in each)
    return [name for name in names if len({_text(each.get(name)) for each in outputs}) > 1]


def _are_same(lines: Sequence[LineResult | None]) -> bool:
    first, *others = [None if line is None else (line.status, _text(dict(line.outputs))) for line in lines]
    return first is not None and all(other == first for other in others)


def _text(value: Any) -> str:
    """A value so that equal ones are equal text: ``1`` is not ``true``, and NaN is NaN."""
    return dump_json(value)
