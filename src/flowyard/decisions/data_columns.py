"""The columns of the data that slices and clusters are made of, as text for each line."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from flowyard.decisions.columns import label_of
from flowyard.decisions.versions import Versions
from flowyard.errors import FlowyardError
from flowyard.runs.dataset import data_source, open_dataset
from flowyard.runs.mapping import numbered_rows

__all__ = ["MOST_VALUES", "DataColumns", "read_data_columns"]

MOST_VALUES = 30
"""More different values than this are no slices."""
_MOST_FOUND, _FEW, _LONGEST = 5, 12, 60


@dataclass(slots=True)
class DataColumns:
    """``values[dataset][column][line]`` is text. ``slices[dataset]`` are the columns that make slices there."""

    values: dict[str, dict[str, dict[int, str]]] = field(default_factory=dict)
    slices: dict[str, tuple[str, ...]] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that make slices in any dataset."""
        return tuple(dict.fromkeys(name for names in self.slices.values() for name in names))

    def lines_of(self, dataset: str, slice_: Mapping[str, str]) -> frozenset[int] | None:
        """The lines of a slice; None when the data has no such column."""
        found: frozenset[int] | None = None
        for column, wanted in slice_.items():
            values = self.values.get(dataset, {}).get(column)
            if values is None:
                return None
            lines = frozenset(number for number, value in values.items() if value == wanted)
            found = lines if found is None else found & lines
        return found

    def slices_of(self, dataset: str) -> Iterable[tuple[dict[str, str], frozenset[int]]]:
        """Every slice of a dataset: ``{column: value}`` and its lines."""
        for column in self.slices.get(dataset, ()):
            members: dict[str, set[int]] = {}
            for number, value in self.values[dataset][column].items():
                members.setdefault(value, set()).add(number)
            for value in sorted(members):
                yield {column: value}, frozenset(members[value])


def read_data_columns(versions: Versions, slices: Sequence[str], others: Iterable[str]) -> DataColumns:
    """The columns that are named; where no slices are, those of few values. Data that is gone makes a warning.

    ``others`` are columns that gates or clusters need.
    """
    found = DataColumns()
    needed = set(others)
    for dataset in versions.datasets:
        source = next((each.run.data for each in versions.over(dataset) if each.run.data), None)
        if source is None:
            continue
        try:
            columns = _read(source, {*slices, *needed} if slices else None, needed)
        except FlowyardError as error:
            found.warnings.append(f"The data of {dataset} cannot be read for slices: {error.message}")
            continue
        found.values[dataset] = columns
        found.slices[dataset] = _sliceable(columns, slices, dataset, found.warnings)
    return found


def _read(source: str, wanted: set[str] | None, needed: set[str]) -> dict[str, dict[int, str]]:
    """The wanted columns; None asks for all that have few values, besides those needed."""
    columns: dict[str, dict[int, str]] = {}
    distinct: dict[str, set[str]] = {}
    given_up: set[str] = set()
    for row in numbered_rows(open_dataset(data_source(source))):
        for name in row.values if wanted is None else wanted & row.values.keys():
            if name in given_up:
                continue
            value = row.values[name]
            if _is_plain(value):
                text = label_of(value)
                columns.setdefault(name, {})[row.number] = text
                distinct.setdefault(name, set()).add(text[:_LONGEST])
            if wanted is None and name not in needed and (not _is_plain(value) or len(distinct[name]) > _FEW):
                given_up.add(name)
                columns.pop(name, None)
    return columns


def _is_plain(value: Any) -> bool:
    return value is None or isinstance(value, str | bool | int | float)


def _sliceable(
    columns: Mapping[str, Mapping[int, str]], slices: Sequence[str], dataset: str, warnings: list[str]
) -> tuple[str, ...]:
    counts = {name: len(set(values.values())) for name, values in columns.items()}
    if not slices:
        few = [name for name, count in counts.items() if 2 <= count <= min(_FEW, len(columns[name]) / 2)]
        return tuple(few[:_MOST_FOUND])
    for name in slices:
        if counts.get(name, 0) > MOST_VALUES:
            warnings.append(
                f"The column {name!r} of {dataset} has {counts[name]:,} different values, so it makes no slices; "
                f"a slice has to be one of {MOST_VALUES} at most."
            )
        elif name not in counts:
            warnings.append(f"The data of {dataset} has no column {name!r} for slices.")
    return tuple(name for name in slices if 0 < counts.get(name, 0) <= MOST_VALUES)
