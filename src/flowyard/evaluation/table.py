"""What an evaluation over data found, as one table: the data, what the target made of it and every evaluator's values.

A missing value is NaN. Means are taken over the numbers that are there; how many are not there is a warning.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from flowyard.errors import UserError
from flowyard.records import LineResult, RunRecord
from flowyard.runs.dataset import DataSource, Row, open_dataset
from flowyard.runs.mapping import numbered_rows
from flowyard.runs.results import read_lines

__all__ = ["DataTable", "EvaluationTable", "RunLines", "read_table"]

_TARGET_PREFIX = "__outputs."
_DEFECT_LABELS = ("protected_material_label", "eci_label", "xpia_label")
"""Columns of true and false, where true says that something is wrong."""


@dataclass(frozen=True, slots=True)
class EvaluationTable:
    """``rows`` in the order of the data with ``inputs.x``, ``outputs.<target's>`` and ``outputs.<alias>.<name>``.

    ``metrics`` are ``<alias>.<name>``: the means, and what evaluators aggregated themselves. ``warnings`` are for a
    person to read once.
    """

    rows: list[dict[str, Any]]
    metrics: dict[str, Any]
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DataTable:
    """All rows of the data, and the columns that any of them has."""

    rows: tuple[Row, ...]
    columns: list[str]

    @classmethod
    def read(cls, source: DataSource) -> DataTable:
        """Read the data. Raises UserError when there is none or a row cannot be read."""
        dataset = open_dataset(source)
        rows = tuple(numbered_rows(dataset))
        broken = next((row.error for row in rows if row.error), None)
        if broken is not None:
            raise UserError(f"{dataset.label} has a row that cannot be read. {broken.message}", where=broken.where)
        if not rows:
            raise UserError(f"There is nothing to evaluate: {dataset.label} has no rows.")
        return cls(rows, _names(row.values for row in rows))

    def require_no_outputs(self) -> None:
        """Raise UserError when a column has the name of a target's output."""
        taken = next((name for name in self.columns if name.startswith(_TARGET_PREFIX)), None)
        if taken is not None:
            message = f"The data has a column {taken!r}; with a target, no column may start with {_TARGET_PREFIX!r}."
            raise UserError(message, hint="Rename the column.")


class RunLines:
    """The lines of one run, held in memory."""

    def __init__(self, run: RunRecord) -> None:
        self.run = run
        self._lines = {line.line_number: line for line in read_lines(run)}
        self.columns = _names(line.outputs for line in self._lines.values())

    def value(self, number: int, column: str) -> Any:
        """An output of a row; NaN where there is none, and for None."""
        line = self._lines.get(number)
        found = line.outputs.get(column) if line else None
        return math.nan if found is None else found

    @property
    def failed(self) -> list[LineResult]:
        """The lines that failed, in order."""
        return [line for line in self._lines.values() if line.error]

    def require_some(self) -> None:
        """Raise UserError when no line completed."""
        if not self.run.lines.completed:
            raise UserError(f"The target failed on every row, so there is nothing to evaluate. {_first(self.failed)}")


def read_table(
    data: DataTable, target: RunLines | None, evaluators: Mapping[str, RunLines], warnings: Iterable[str] = ()
) -> EvaluationTable:
    """Put the table together and take the means."""
    rows = [dict(_cells(row, data, target, evaluators)) for row in data.rows]
    found = [
        *warnings,
        *(_lost("The target", target, len(rows), "which are therefore not evaluated") if target else ()),
    ]
    means: dict[str, Any] = {}
    aggregated: dict[str, Any] = {}
    for alias, lines in evaluators.items():
        values = {name: [row[f"outputs.{alias}.{name}"] for row in rows] for name in lines.columns}
        for name, column in values.items():
            mean = _metric(f"{alias}.{name}", column)
            means |= mean
            found += _without_number(f"{alias}.{name}", column, lines) if mean else []
        aggregated |= {f"{alias}.{name}": value for name, value in lines.run.metrics.items()}
        found += _lost(f"Evaluator {alias!r}", lines, len(rows), "which are left out of its means")
        found += [f"Evaluator {alias!r}: {said}" for said in _about(lines.run)]
    return EvaluationTable(rows, means | aggregated, tuple(found))


def _cells(
    row: Row, data: DataTable, target: RunLines | None, evaluators: Mapping[str, RunLines]
) -> Iterator[tuple[str, Any]]:
    for column in target.columns if target else ():
        yield f"outputs.{column}", target.value(row.number, column) if target else math.nan
    for column in data.columns:
        yield f"inputs.{column}", row.values.get(column, math.nan)
    for alias, lines in evaluators.items():
        for column in lines.columns:
            yield f"outputs.{alias}.{column}", lines.value(row.number, column)


def _metric(name: str, values: Sequence[Any]) -> dict[str, float]:
    """The mean of a column of numbers, the share of true in a column of defects; nothing for any other column."""
    present = [value for value in values if not _is_missing(value)]
    if not all(isinstance(value, int | float) for value in present):
        return {}
    mean = fmean(present) if present else math.nan
    if name.rpartition(".")[2].lower() in _DEFECT_LABELS:
        return {f"{name.removesuffix('_label')}_defect_rate": round(mean, 2)}
    return {name: mean}


def _is_missing(value: Any) -> bool:
    return isinstance(value, float) and math.isnan(value)


def _without_number(name: str, values: Sequence[Any], lines: RunLines) -> list[str]:
    counted = sum(not _is_missing(value) for value in values)
    without = lines.run.lines.completed - counted
    if without <= 0:
        return []
    return [f"{name} is the mean of {counted} of {len(values)} rows: {without} that completed gave no number."]


def _lost(what: str, lines: RunLines, total: int, consequence: str) -> list[str]:
    failed = lines.failed
    return [f"{what} failed on {len(failed)} of {total} rows, {consequence}. {_first(failed)}"] if failed else []


def _first(failed: Sequence[LineResult]) -> str:
    error = failed[0].error if failed else None
    return f"First, row {failed[0].line_number}: ({error.type}) {error.message}" if error else ""


def _about(run: RunRecord) -> Iterator[str]:
    yield from run.warnings
    yield from (f"({error.type}) {error.message}" for error in run.errors)
    if run.simulated:
        calls = run.usage.calls + run.usage.cached_calls
        yield f"{run.usage.simulated_calls} of {calls} model calls were answered by a simulated model."


def _names(values: Iterable[Mapping[str, Any]]) -> list[str]:
    return list(dict.fromkeys(name for mapping in values for name in mapping))
