"""Which output of an evaluator, line by line, is behind a metric that it logged for the whole run.

``log_metric("accuracy", 0.72)`` says nothing of lines. Where, in every run, one output has exactly that mean, or one
label has exactly that share, within the digits that were logged, it is what the metric was made of.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isnan
from typing import Any

from flowyard._util.numbers import LARGEST, is_finite
from flowyard.decisions.columns import Column, RunColumns

__all__ = ["Link", "find_link", "mean_of", "values_of"]

_MOST_LABELS = 50
_RIGHT = frozenset(("correct", "right", "true", "yes", "pass", "passed"))


@dataclass(frozen=True, slots=True)
class Link:
    """An output; with ``equals``, the share of that label in it."""

    column: str
    equals: str | None = None

    @property
    def meaning(self) -> str:
        """What the number of a line is."""
        if self.equals is None:
            return f"the output {self.column!r}"
        return f"1 where the output {self.column!r} is {self.equals!r}, else 0"


def values_of(link: Link, lines: RunColumns) -> array[float] | None:
    """The metric for each line of a run, NaN where it has none; None when the run has no such output."""
    column = lines.columns.get(link.column)
    if column is None:
        return None
    return column.values if link.equals is None else column.equal_to(link.equals)


def mean_of(values: Sequence[float]) -> float:
    """The mean of those that are there; NaN when none is."""
    known = [value for value in values if not isnan(value)]
    return math.fsum(known) / len(known) if known else math.nan


def find_link(metric: str, logged: Sequence[tuple[Mapping[str, Any], RunColumns]]) -> Link | None:
    """The one output behind a logged metric; None when none fits, or several that differ.

    ``logged`` has the metrics and the lines of each run of one evaluator.
    """
    runs = [
        (float(metrics[metric]), lines) for metrics, lines in logged if is_number(metrics.get(metric)) and len(lines)
    ]
    if not runs:
        return None
    value, lines = runs[0]
    fitting = [link for link in _candidates(lines) if _fits(link, value, lines)]
    for value, lines in runs[1:]:
        fitting = [link for link in fitting if _fits(link, value, lines)]
    if not fitting:
        return None
    said_right = [link for link in fitting if (link.equals or "").lower() in _RIGHT]
    if len(said_right) == 1:  # where half of the lines are right, as many are wrong
        return said_right[0]
    first = next((link for link in fitting if link.column == metric), fitting[0])
    return first if all(_are_alike(first, other, runs) for other in fitting) else None


def is_number(value: Any) -> bool:
    """Whether it is a number that can be summed up with others, and no truth value."""
    return not isinstance(value, bool) and is_finite(value) and abs(value) <= LARGEST


def _candidates(lines: RunColumns) -> list[Link]:
    numbers = [Link(name) for name, column in lines.columns.items() if column.is_numeric]
    shares = [
        Link(name, label)
        for name, column in lines.columns.items()
        if len(column.labels) <= _MOST_LABELS
        for label in column.labels
    ]
    return numbers + shares


def _fits(link: Link, value: float, lines: RunColumns) -> bool:
    column = lines.columns.get(link.column)
    if column is None:
        return False
    found = _share(column, link.equals) if link.equals is not None else mean_of(column.values)
    return not isnan(found) and abs(found - value) <= _tolerance(value)


def _share(column: Column, label: str) -> float:
    known = sum(code >= 0 for code in column.codes)
    code = column.labels.get(label, -2)
    return sum(each == code for each in column.codes) / known if known else math.nan


def _tolerance(value: float) -> float:
    """Half a unit of the last digit that was logged. One digit says too little: such a number has to fit exactly."""
    digits = len(repr(value).partition(".")[2])
    return 0.5 * 10.0**-digits + 1e-9 if 1 < digits <= 8 and "e" not in repr(value) else 1e-9


def _are_alike(link: Link, other: Link, runs: Sequence[tuple[float, RunColumns]]) -> bool:
    """Whether two outputs are the same line by line, so that it does not matter which one is taken."""
    return link == other or all(_same(values_of(link, lines), values_of(other, lines)) for _, lines in runs)


def _same(left: Sequence[float] | None, right: Sequence[float] | None) -> bool:
    if left is None or right is None:
        return left is right
    return all(a == b or (isnan(a) and isnan(b)) for a, b in zip(left, right, strict=True))
