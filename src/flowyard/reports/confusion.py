"""Which label was taken for which: counted from lines, or taken from an evaluator that counted itself."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from flowyard.reports.lines import LineRow
from flowyard.reports.table import DatasetTable, VariantRow

__all__ = ["ConfusionMatrix", "LabelPairs", "given_matrices"]

_MOST_LABELS = 20
_LONGEST_LABEL = 80
_COLUMN = re.compile(r"\$\{(data|run\.outputs|run\.inputs)\.(.+)\}")


@dataclass(frozen=True, slots=True)
class ConfusionMatrix:
    """``counts[i][j]`` lines had ``labels[i]`` and were given ``labels[j]``. ``title`` says what is compared."""

    row: VariantRow
    title: str
    labels: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]

    @property
    def most(self) -> int:
        return max((count for row in self.counts for count in row), default=0)

    @property
    def right(self) -> int:
        return sum(row[place] for place, row in enumerate(self.counts))

    @property
    def total(self) -> int:
        return sum(map(sum, self.counts))


_Pair = tuple[int, str, str, str]
"""Place of the version, evaluator, the evaluator's input with the label and the one with the prediction."""


@dataclass(slots=True)
class LabelPairs:
    """Counts label and prediction where an evaluation reads one from the data and the other from the run's outputs.

    Columns with many different values, or long ones, are no labels.
    """

    table: DatasetTable
    _pairs: Sequence[_Pair] = ()
    _counts: dict[_Pair, Counter[tuple[str, str]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._pairs = list(_pairs(self.table))
        self._counts = {pair: Counter() for pair in self._pairs}

    def add(self, line: LineRow) -> None:
        """Take the next line."""
        for pair in list(self._counts):
            place, evaluator, label, prediction = pair
            result = line.cells[place].evaluations.get(evaluator)
            if result is None:
                continue
            values = (result.inputs.get(label), result.inputs.get(prediction))
            if not all(map(_is_label, values)):
                del self._counts[pair]
                continue
            self._counts[pair][str(values[0]), str(values[1])] += 1
            if len(self._counts[pair]) > _MOST_LABELS * _MOST_LABELS:
                del self._counts[pair]

    def matrices(self) -> list[ConfusionMatrix]:
        """Those of pairs whose values are a few labels that both sides have in common."""
        found = (_matrix(self.table.rows[pair[0]], pair, counts) for pair, counts in self._counts.items())
        return [matrix for matrix in found if matrix is not None]


def given_matrices(table: DatasetTable) -> list[ConfusionMatrix]:
    """The metrics that are a matrix already: ``{label: {prediction: count}}``, or ``{"labels": […], "counts": […]}``.

    ``matrix`` and ``confusion_matrix`` do for ``counts``.
    """
    found = (_given(row, name, value) for row in table.rows for name, value in row.metrics.items())
    return [matrix for matrix in found if matrix is not None]


def _pairs(table: DatasetTable) -> Iterator[_Pair]:
    for place, row in enumerate(table.rows):
        for use in row.evaluations:
            columns = {name: _COLUMN.fullmatch(str(value)) for name, value in use.run.column_mapping.items()}
            told = [(name, found[1]) for name, found in columns.items() if found]
            for label in (name for name, source in told if source != "run.outputs"):
                for prediction in (name for name, source in told if source == "run.outputs"):
                    yield place, use.evaluator, label, prediction


def _is_label(value: Any) -> bool:
    return value is None or isinstance(value, bool | int) or (isinstance(value, str) and len(value) <= _LONGEST_LABEL)


def _matrix(row: VariantRow, pair: _Pair, counts: Mapping[tuple[str, str], int]) -> ConfusionMatrix | None:
    labels = {label for label, _ in counts}
    predictions = {prediction for _, prediction in counts}
    names = sorted(labels | predictions)
    if not labels & predictions or not 2 <= len(names) <= _MOST_LABELS:
        return None
    table = tuple(tuple(counts.get((label, prediction), 0) for prediction in names) for label in names)
    return ConfusionMatrix(row, f"{pair[1]}: {pair[2]} and {pair[3]}", tuple(names), table)


def _given(row: VariantRow, name: str, value: Any) -> ConfusionMatrix | None:
    if not isinstance(value, Mapping):
        return None
    labels, counts = _listed(value) or _nested(value) or ([], [])
    square = len(counts) == len(labels) and all(len(each) == len(labels) for each in counts)
    if not square or not 2 <= len(labels) <= _MOST_LABELS or not all(map(_is_count, chain.from_iterable(counts))):
        return None
    return ConfusionMatrix(row, name, tuple(labels), tuple(map(tuple, counts)))


_Table = tuple[list[str], list[list[Any]]]


def _listed(value: Mapping[str, Any]) -> _Table | None:
    labels = value.get("labels")
    counts = next((value[key] for key in ("counts", "matrix", "confusion_matrix") if key in value), None)
    if not isinstance(labels, list | tuple) or not isinstance(counts, list | tuple):
        return None
    return list(map(str, labels)), [list(each) for each in counts if isinstance(each, list | tuple)]


def _nested(value: Mapping[str, Any]) -> _Table | None:
    if not value or not all(isinstance(each, Mapping) for each in value.values()):
        return None
    rows = {str(label): {str(other): count for other, count in each.items()} for label, each in value.items()}
    labels = list(dict.fromkeys([*rows, *(other for each in rows.values() for other in each)]))
    return labels, [[rows.get(label, {}).get(other, 0) for other in labels] for label in labels]


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
