"""Lines side by side: what each variant made of the same line, merged by line number and read lazily."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from operator import itemgetter
from typing import Any, Literal

from flowyard.records import ErrorRecord, LineResult, RunRecord
from flowyard.reports.table import DatasetTable, VariantRow
from flowyard.reports.values import one_line, same_value
from flowyard.runs.results import read_lines

__all__ = [
    "Failure",
    "Failures",
    "LineChoice",
    "LineKind",
    "LineRow",
    "VariantLine",
    "choose_lines",
    "choose_numbers",
    "find_failures",
    "iter_lines",
]

LineKind = Literal["failed", "disagree", "same"]
_KINDS: tuple[LineKind, ...] = ("failed", "disagree", "same")
_Tagged = tuple[int, int, str, LineResult]
"""Line number, place of the variant in its dataset, evaluator or "" for the variant's own line, the line."""


@dataclass(frozen=True, slots=True)
class VariantLine:
    """One variant's part of a line: its own result (None when it was not run) and each evaluator's."""

    row: VariantRow
    line: LineResult | None
    evaluations: Mapping[str, LineResult]

    @property
    def failed(self) -> bool:
        lines = [*self.evaluations.values(), *([self.line] if self.line else [])]
        return any(line.status == "failed" for line in lines)

    def results(self) -> Any:
        """What is compared between variants: what each evaluator said, or the outputs where nothing was evaluated."""
        if self.evaluations:
            return {name: line.outputs for name, line in self.evaluations.items()}
        return self.line.outputs if self.line else None


@dataclass(frozen=True, slots=True)
class LineRow:
    """One line of a dataset; ``cells`` is in the order of the dataset's rows, one for each variant."""

    line_number: int
    cells: tuple[VariantLine, ...]

    @property
    def failed(self) -> bool:
        return any(cell.failed for cell in self.cells)

    @property
    def disagree(self) -> bool:
        first, *others = (cell.results() for cell in self.cells)
        return any(not same_value(first, other) for other in others)

    @property
    def kind(self) -> LineKind:
        if self.failed:
            return "failed"
        return "disagree" if self.disagree else "same"


@dataclass(slots=True)
class Failure:
    """Failures of one kind in one variant; ``line_numbers`` holds the first few, ``message`` the first one's."""

    row: VariantRow
    evaluator: str
    type: str
    node: str | None
    message: str
    count: int = 0
    line_numbers: list[int] = field(default_factory=list)


@dataclass(slots=True)
class Failures:
    """Counts failures of each kind, as lines are added."""

    _found: dict[tuple[object, ...], Failure] = field(default_factory=dict)

    def add(self, line: LineRow) -> None:
        """Take the next line."""
        for cell in line.cells:
            for evaluator, result in [("", cell.line), *cell.evaluations.items()]:
                if result is not None and result.status == "failed":
                    self._count(cell.row, evaluator, result)

    def _count(self, row: VariantRow, evaluator: str, line: LineResult) -> None:
        error = line.error or ErrorRecord("Unknown", "No error was stored with the line.")
        key = (row.run.name, evaluator, error.type, error.node)
        message = one_line(error.message, most=240)
        found = self._found.setdefault(key, Failure(row, evaluator, error.type, error.node, message))
        found.count += 1
        found.line_numbers += [line.line_number] if found.count <= 8 else []

    def most_first(self) -> tuple[Failure, ...]:
        """Every kind, the most frequent first."""
        return tuple(sorted(self._found.values(), key=lambda failure: failure.count, reverse=True))


@dataclass(frozen=True, slots=True)
class LineChoice:
    """Lines to show, failed ones first, and how many there are of each kind."""

    lines: tuple[LineRow, ...]
    totals: Mapping[LineKind, int]


def iter_lines(table: DatasetTable) -> Iterator[LineRow]:
    """Every line of a dataset, ascending, with all variants and their evaluations; one line in memory at a time."""
    sources = []
    for place, row in enumerate(table.rows):
        sources.append(_tagged(row.run, place, ""))
        sources.extend(_tagged(use.run, place, use.evaluator) for use in row.evaluations)
    merged = heapq.merge(*sources, key=itemgetter(0))
    for number, parts in groupby(merged, key=itemgetter(0)):
        yield _line_row(table, number, parts)


def choose_lines(lines: Sequence[LineRow]) -> LineChoice:
    """All of these lines: failed ones, then those on which variants disagree, then the rest."""
    kinds: dict[LineKind, list[LineRow]] = {kind: [] for kind in _KINDS}
    for line in lines:
        kinds[line.kind].append(line)
    chosen = (line for kind in _KINDS for line in kinds[kind])
    return LineChoice(tuple(chosen), {kind: len(members) for kind, members in kinds.items()})


def choose_numbers(table: DatasetTable, most: int) -> frozenset[int]:
    """The numbers of up to ``most`` lines, in the order of ``choose_lines``; holds none of the lines."""
    numbers: dict[LineKind, list[int]] = {kind: [] for kind in _KINDS}
    for line in iter_lines(table):
        numbers[line.kind].append(line.line_number)
    return frozenset([number for kind in _KINDS for number in numbers[kind]][:most])


def find_failures(table: DatasetTable) -> tuple[Failure, ...]:
    """Every kind of failure in a dataset, the most frequent first; no line is read when none failed."""
    runs = [run for row in table.rows for run in (row.run, *(use.run for use in row.evaluations))]
    failures = Failures()
    if any(run.lines.failed for run in runs):
        for line in iter_lines(table):
            failures.add(line)
    return failures.most_first()


def _tagged(run: RunRecord, place: int, evaluator: str) -> Iterator[_Tagged]:
    for line in read_lines(run):
        yield line.line_number, place, evaluator, line


def _line_row(table: DatasetTable, number: int, parts: Iterator[_Tagged]) -> LineRow:
    own: dict[int, LineResult] = {}
    scores: dict[int, dict[str, LineResult]] = {}
    for _, place, evaluator, line in parts:
        if evaluator:
            scores.setdefault(place, {})[evaluator] = line
        else:
            own[place] = line
    cells = (VariantLine(row, own.get(place), scores.get(place, {})) for place, row in enumerate(table.rows))
    return LineRow(number, tuple(cells))
