"""The means of what an evaluator gave, line by line: its metrics unless it has better ones."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from flowyard._util.numbers import is_finite

__all__ = ["means"]

_BARE = "output"
"""The name of a value that an evaluator returned without a name."""


def means(rows: Sequence[Any]) -> dict[str, float]:
    """For each name, the mean over all rows that have a number there; true counts 1 and false 0, null and NaN nothing.

    A name that anywhere has something else, such as text, is none of a metric. ``rows`` are dicts, or single values.
    """
    columns: dict[str, list[float]] = {}
    others: set[str] = set()
    for row in rows:
        for name, value in _named(row):
            if isinstance(value, bool | int | float):
                if is_finite(value) or value in (math.inf, -math.inf):
                    columns.setdefault(name, []).append(float(value))
            elif value is not None:
                others.add(name)
    return {name: _mean(values) for name, values in columns.items() if name not in others}


def _mean(values: Sequence[float]) -> float:
    try:
        return math.fsum(values) / len(values)
    except (OverflowError, ValueError):  # a sum beyond all floats; infinities of both signs
        return sum(value / len(values) for value in values)


def _named(row: Any) -> Iterator[tuple[str, Any]]:
    return iter(row.items()) if isinstance(row, Mapping) else iter([(_BARE, row)])
