"""What lines scored, version by version: for won and lost lines, and for the spread of scores."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from flowyard._util.numbers import is_finite
from flowyard.decisions.model import Evidence, Scores
from flowyard.reports.lines import LineRow
from flowyard.reports.table import DatasetTable, VariantRow, lower_is_better

__all__ = ["LineScores", "SeenScores", "of_version", "scores_behind"]

_MOST_METRICS = 24
_Of = TypeVar("_Of")


@dataclass(frozen=True, slots=True)
class LineScores:
    """One metric: ``values[i]`` is ``{line number: score}`` of the dataset's version ``i``."""

    name: str
    higher_is_better: bool
    values: tuple[Mapping[int, float], ...]

    @property
    def is_binary(self) -> bool:
        """Whether no line scored anything but 0 and 1."""
        return all(value in (0, 1) for column in self.values for value in column.values())


def of_version(row: VariantRow, values: Mapping[str, _Of]) -> _Of | None:
    """What a mapping by version has for a row: by its label, or by its run's name."""
    return values.get(row.label, values.get(row.run.name))


def scores_behind(table: DatasetTable, evidence: Evidence) -> list[LineScores]:
    """The scores behind what was tested; NaN is no score."""
    return [_tested(table, scores) for scores in evidence.scores if scores.dataset == table.name]


def _tested(table: DatasetTable, scores: Scores) -> LineScores:
    columns = []
    for row in table.rows:
        values = of_version(row, scores.values) or ()
        columns.append({n: float(v) for n, v in zip(scores.lines, values, strict=False) if math.isfinite(v)})
    return LineScores(scores.metric.name, scores.metric.higher_is_better, tuple(columns))


@dataclass(slots=True)
class SeenScores:
    """Collects what evaluators said of lines in numbers or truth values, where nothing was tested."""

    versions: int
    _found: dict[str, list[dict[int, float]]] = field(default_factory=dict)

    def add(self, line: LineRow) -> None:
        """Take the next line."""
        for place, cell in enumerate(line.cells):
            for evaluator, result in cell.evaluations.items():
                for name, value in result.outputs.items():
                    if is_finite(value):
                        self._note(f"{evaluator}.{name}", place, line.line_number, value)

    def _note(self, metric: str, place: int, number: int, value: Any) -> None:
        if metric not in self._found and len(self._found) >= _MOST_METRICS:
            return
        columns = self._found.setdefault(metric, [{} for _ in range(self.versions)])
        columns[place][number] = float(value)

    def scores(self) -> Sequence[LineScores]:
        """One for each metric, in order of appearance."""
        return [LineScores(name, not lower_is_better(name), tuple(found)) for name, found in self._found.items()]
