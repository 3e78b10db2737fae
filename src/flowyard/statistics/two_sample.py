"""Two independent groups of numbers, each known by its size, sum and sum of squares."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from flowyard.statistics.inputs import Bounds, require_finite, require_probability
from flowyard.statistics.special import student_t_quantile, student_t_sf

__all__ = ["Moments", "WelchT", "welch_t"]


@dataclass(frozen=True, slots=True)
class Moments:
    """What a running count needs to keep of a group."""

    n: int
    total: float
    total_of_squares: float

    @classmethod
    def of(cls, values: Iterable[float]) -> Moments:
        """The moments of finite values."""
        numbers = require_finite(values)
        return cls(len(numbers), math.fsum(numbers), math.fsum(number * number for number in numbers))

    @property
    def mean(self) -> float:
        """NaN for no values."""
        return self.total / self.n if self.n else math.nan

    @property
    def variance(self) -> float:
        """With n - 1; NaN for fewer than two values."""
        if self.n < 2:
            return math.nan
        return max(0.0, self.total_of_squares - self.total * self.total / self.n) / (self.n - 1)


@dataclass(frozen=True, slots=True)
class WelchT:
    """``difference`` is second mean minus first mean."""

    difference: float
    standard_error: float
    degrees_of_freedom: float
    p_value: float
    interval: Bounds


def welch_t(first: Moments, second: Moments, confidence: float = 0.95) -> WelchT:
    """Welch's t-test for groups of unequal variance (Welch 1947), two-sided.

    Without any variance the interval is the point, and p is 1 for equal means, else 0. ValueError for fewer than two
    values in a group.
    """
    require_probability(confidence, "confidence")
    if min(first.n, second.n) < 2:
        raise ValueError("both groups need two values or more")
    difference = second.mean - first.mean
    parts = (first.variance / first.n, second.variance / second.n)
    error = math.sqrt(sum(parts))
    if error == 0:
        return WelchT(difference, 0.0, math.inf, float(difference == 0), Bounds(difference, difference))
    of_first, of_second = (part / sum(parts) for part in parts)
    freedom = 1 / (of_first**2 / (first.n - 1) + of_second**2 / (second.n - 1))
    half = student_t_quantile((1 + confidence) / 2, freedom) * error
    p_value = 2 * student_t_sf(abs(difference) / error, freedom)
    return WelchT(difference, error, freedom, p_value, Bounds(difference - half, difference + half))
