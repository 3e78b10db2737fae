"""Lines side by side: what each variant made of the same line, merged by line number and read lazily."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from operator import attrgetter, itemgetter
from typing import Any, Literal

from flowyard.records import ErrorRecord, LineResult, RunRecord
from flowyard.reports.table import DatasetTable, VariantRow
from flowyard.reports.values import one_line, same_value
from flowyard.runs.results import read_lines

__all__ = ["Failure", "LineChoice", "LineKind", "LineRow", "VariantLine", "choose_lines", "find_failures", "iter_lines"]

LineKind = Literal["failed", "disagree", "same"]
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


@dataclass(frozen=True, slots=True)
class LineChoice:
    """The lines to show, failed ones first, and how many there are of each kind in the whole dataset."""

    lines: tuple[LineRow, ...]
    totals: Mapping[LineKind, int]
    failures: tuple[Failure, ...]

    @property
    def total(self) -> int:
        return sum(self.totals.values())

    @property
    def hidden(self) -> int:
        return self.total - len(self.lines)


def iter_lines(table: DatasetTable) -> Iterator[LineRow]:
    """Every line of a dataset, ascending, with all variants and their evaluations; one line in memory at a time."""
    sources = []
    for place, row in enumerate(table.rows):
        sources.append(_tagged(row.run, place, ""))
        sources.extend(_tagged(use.run, place, use.evaluator) for use in row.evaluations)
    merged = heapq.merge(*sources, key=itemgetter(0))
    for number, parts in groupby(merged, key=itemgetter(0)):
        yield _line_row(table, number, parts)


def choose_lines(table: DatasetTable, *, most: int = 500) -> LineChoice:
    """Choose up to ``most`` lines: failed ones, then those on which variants disagree, then the rest.

    Reads the lines twice so that only the chosen ones are held.
    """
    numbers: dict[LineKind, list[int]] = {"failed": [], "disagree": [], "same": []}
    failures: dict[tuple[object, ...], Failure] = {}
    for line in iter_lines(table):
        numbers[line.kind].append(line.line_number)
        _count_failures(line, failures)
    wanted = {number: kind for kind, members in numbers.items() for number in members[: max(0, most)]}
    wanted = dict(list(wanted.items())[:most])
    order = list(numbers)
    chosen = [line for line in iter_lines(table) if line.line_number in wanted]
    chosen.sort(key=lambda line: (order.index(wanted[line.line_number]), line.line_number))
    totals = {kind: len(members) for kind, members in numbers.items()}
    by_count: Callable[[Failure], int] = attrgetter("count")
    return LineChoice(tuple(chosen), totals, tuple(sorted(failures.values(), key=by_count, reverse=True)))


def find_failures(table: DatasetTable) -> tuple[Failure, ...]:
    """Every kind of failure in a dataset, the most frequent first; no line is read when none failed."""
    runs = [run for row in table.rows for run in (row.run, *(use.run for use in row.evaluations))]
    if not any(run.lines.failed for run in runs):
        return ()
    failures: dict[tuple[object, ...], Failure] = {}
    for line in iter_lines(table):
        _count_failures(line, failures)
    by_count: Callable[[Failure], int] = attrgetter("count")
    return tuple(sorted(failures.values(), key=by_count, reverse=True))


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


def _count_failures(line: LineRow, failures: dict[tuple[object, ...], Failure]) -> None:
    for cell in line.cells:
        for evaluator, result in [("", cell.line), *cell.evaluations.items()]:
            if result is not None and result.status == "failed":
                error = result.error or ErrorRecord("Unknown", "No error was stored with the line.")
                key = (cell.row.run.name, evaluator, error.type, error.node)
                message = one_line(error.message, most=240)
                found = failures.setdefault(key, Failure(cell.row, evaluator, error.type, error.node, message))
                found.count += 1
                found.line_numbers += [line.line_number] if found.count <= 8 else []
