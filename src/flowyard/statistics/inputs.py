"""What every function here asks of its numbers. Nonsense raises ValueError, and NaN is nonsense: the caller decides
what a missing value counts before it asks a statistical question.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

__all__ = ["Bounds", "require_count", "require_finite", "require_pairs", "require_positive", "require_probability"]


class Bounds(NamedTuple):
    """An interval's two ends. An infinite end says that the data do not bound that side."""

    low: float
    high: float


def require_finite(values: Iterable[float], name: str = "values", at_least: int = 0) -> list[float]:
    """The values as floats; ValueError for NaN, infinities, what is no number, and fewer than ``at_least``."""
    numbers = [float(value) for value in values]
    for place, number in enumerate(numbers):
        if not math.isfinite(number):
            raise ValueError(f"{name}[{place}] is {number}; a finite number is needed")
    if len(numbers) < at_least:
        raise ValueError(f"{name} has {len(numbers)} values; at least {at_least} are needed")
    return numbers


def require_pairs(first: Sequence[float], second: Sequence[float]) -> tuple[list[float], list[float]]:
    """Two sequences of finite numbers of one length."""
    if len(first) != len(second):
        raise ValueError(f"{len(first)} values cannot be paired with {len(second)}")
    return require_finite(first, "first"), require_finite(second, "second")


def require_probability(value: float, name: str, *, closed: bool = False) -> float:
    """A number between 0 and 1, the ends excluded unless ``closed``."""
    if not (0 <= value <= 1 if closed else 0 < value < 1):
        raise ValueError(f"{name} is {value}; it has to lie between 0 and 1")
    return float(value)


def require_count(value: float, name: str) -> float:
    """A finite number that is not negative. Counts may be fractions: repeated measurements of a line are averaged."""
    if not (math.isfinite(value) and value >= 0):
        raise ValueError(f"{name} is {value}; a count is not negative")
    return float(value)


def require_positive(value: float, name: str) -> float:
    """A finite number above 0."""
    if not (math.isfinite(value) and value > 0):
        raise ValueError(f"{name} is {value}; it has to be above 0")
    return float(value)
