"""Intervals for percentiles, latency's above all. ``percent`` lies between 0 and 100, units are those of the values."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from flowyard.statistics.bootstrap import RESAMPLES, resampled_lines
from flowyard.statistics.inputs import Bounds, require_finite, require_pairs, require_probability
from flowyard.statistics.special import binomial_cdf

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["percentile", "percentile_difference_interval", "percentile_interval"]


def percentile(values: Sequence[float], percent: float) -> float:
    """The percentile, linear between neighbours (Hyndman and Fan 1996, type 7, as numpy's). ValueError for none."""
    ordered = sorted(require_finite(values, at_least=1))
    place = (len(ordered) - 1) * require_probability(percent / 100, "percent / 100", closed=True)
    low = math.floor(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (place - low) * (ordered[high] - ordered[low])


def percentile_interval(values: Sequence[float], percent: float, confidence: float = 0.95) -> Bounds:
    """Between two of the ordered values, exact for any distribution (Conover 1999, 3.2): covers ``confidence`` or more.

    An end is infinite where there are too few values to bound it: the 95th percentile has an upper limit from 72 values
    on (at 95 %). No values: no ends.
    """
    ordered = sorted(require_finite(values))
    chance = require_probability(percent / 100, "percent / 100")
    tail = (1 - require_probability(confidence, "confidence")) / 2
    lines = len(ordered)
    # The number of values below the percentile is binomial. The r-th value is above it with chance P(K < r).
    below = _first(lines, lambda k: binomial_cdf(k, lines, chance) > tail)
    above = _first(lines, lambda k: binomial_cdf(k, lines, chance) >= 1 - tail)
    low = ordered[below - 1] if below > 0 else -math.inf
    return Bounds(low, ordered[above] if above < lines else math.inf)


def _first(lines: int, holds: Callable[[int], bool]) -> int:
    """The smallest k in 0..lines for which a condition holds that, once it does, keeps holding."""
    low, high = 0, lines
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle + 1, high)
    return low


def percentile_difference_interval(
    first: Sequence[float],
    second: Sequence[float],
    percent: float,
    confidence: float = 0.95,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Bounds:
    """First percentile minus second percentile of the same lines: percentile bootstrap of whole lines.

    Not BCa: a percentile jumps from value to value, and its jackknife is of no use. One line: no ends. ValueError
    without lines and for lengths that differ.
    """
    import numpy  # noqa: PLC0415 - heavy

    left, right = (numpy.array(column) for column in require_pairs(first, second))
    require_probability(percent / 100, "percent / 100", closed=True)
    tail = (1 - require_probability(confidence, "confidence")) / 2
    if len(left) == 0:
        raise ValueError("no lines")
    if len(left) == 1:
        return Bounds(-math.inf, math.inf)
    parts: list[NDArray[Any]] = [
        numpy.percentile(left[chosen], percent, axis=1) - numpy.percentile(right[chosen], percent, axis=1)
        for chosen in resampled_lines(len(left), resamples, seed, columns=2)
    ]
    low, high = numpy.quantile(numpy.concatenate(parts), (tail, 1 - tail))
    return Bounds(float(low), float(high))
