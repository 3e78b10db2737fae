"""Intervals for shares: one, two of independent groups, two on the same lines. Limits are shares between 0 and 1, for
differences between -1 and 1. Counts may be fractions.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from flowyard.statistics.inputs import Bounds, require_count, require_probability
from flowyard.statistics.special import normal_quantile, normal_sf

__all__ = [
    "newcombe_interval",
    "newcombe_paired_interval",
    "tango_interval",
    "tango_p_above",
    "tango_z",
    "wilson_interval",
]


def wilson_interval(successes: float, lines: float, confidence: float = 0.95) -> Bounds:
    """Wilson's score interval of successes / lines (Wilson 1927; Newcombe 1998, method 3).

    No lines: (0, 1). It never leaves 0..1, and has a width where all or none succeeded. ValueError for more successes
    than lines.
    """
    _require_share(successes, lines)
    z = _critical(confidence)
    if lines == 0:
        return Bounds(0.0, 1.0)
    share, weight = successes / lines, z * z / lines
    center = (share + weight / 2) / (1 + weight)
    half = math.sqrt(share * (1 - share) * weight + weight * weight / 4) / (1 + weight)
    low = 0.0 if successes == 0 else max(0.0, center - half)
    return Bounds(low, 1.0 if successes == lines else min(1.0, center + half))


def newcombe_interval(
    first_successes: float, first_lines: float, second_successes: float, second_lines: float, confidence: float = 0.95
) -> Bounds:
    """First share minus second share of two independent groups (Newcombe 1998, method 10: squares of Wilson's).

    A group without lines is unknown: its share counts as 0.5 with the limits 0 and 1.
    """
    first = wilson_interval(first_successes, first_lines, confidence)
    second = wilson_interval(second_successes, second_lines, confidence)
    p, q = _share(first_successes, first_lines), _share(second_successes, second_lines)
    return Bounds(
        p - q - math.hypot(p - first.low, second.high - q), p - q + math.hypot(first.high - p, q - second.low)
    )


def newcombe_paired_interval(
    both: float, only_first: float, only_second: float, neither: float, confidence: float = 0.95
) -> Bounds:
    """First share minus second share on the same lines (Newcombe 1998, "based on paired data", method 10).

    The four counts are of lines on which both, one, or none of the two succeeded. Wilson's limits of the two shares are
    joined with their correlation, which is corrected for continuity. No discordant lines give an interval around 0
    with a width; no lines at all give (-1, 1).
    """
    lines = _require_four(both, only_first, only_second, neither)
    if lines == 0:
        return Bounds(-1.0, 1.0)
    p, q = (both + only_first) / lines, (both + only_second) / lines
    first = wilson_interval(both + only_first, lines, confidence)
    second = wilson_interval(both + only_second, lines, confidence)
    phi = _corrected_correlation(both, only_first, only_second, neither)
    below = _joined(p - first.low, second.high - q, phi)
    above = _joined(first.high - p, q - second.low, phi)
    return Bounds(max(-1.0, p - q - below), min(1.0, p - q + above))


def _corrected_correlation(both: float, only_first: float, only_second: float, neither: float) -> float:
    margins = (both + only_first) * (only_second + neither) * (both + only_second) * (only_first + neither)
    if margins == 0:
        return 0.0
    excess = both * neither - only_first * only_second
    if excess > 0:
        excess = max(0.0, excess - (both + only_first + only_second + neither) / 2)
    return excess / math.sqrt(margins)


def _joined(first: float, second: float, correlation: float) -> float:
    return math.sqrt(max(0.0, first * first - 2 * correlation * first * second + second * second))


def tango_z(only_first: float, only_second: float, lines: float, difference: float) -> float:
    """The score statistic of H0 "first share minus second share = difference" on the same lines (Tango 1998).

    Standard normal under H0; at 0 its square is McNemar's. ``difference`` is above -1 and below 1. 0 when the data fit
    H0 exactly with no variance; ValueError for more discordant lines than lines.
    """
    _require_discordant(only_first, only_second, lines)
    if not -1 < difference < 1:
        raise ValueError(f"difference is {difference}; it has to lie between -1 and 1")
    linear = (2 * lines - only_first + only_second) * difference - only_first - only_second
    constant = -only_second * difference * (1 - difference)
    root = math.sqrt(max(0.0, linear * linear - 8 * lines * constant))
    share = (root - linear) / (4 * lines)  # of lines that only the second gets right, at its likeliest under H0
    variance = lines * (2 * share + difference * (1 - difference))
    off = only_first - only_second - lines * difference
    if variance <= 0:
        return math.copysign(math.inf, off) if off else 0.0
    return off / math.sqrt(variance)


def tango_interval(only_first: float, only_second: float, lines: float, confidence: float = 0.95) -> Bounds:
    """First share minus second share on the same lines: all differences that Tango's score test keeps (Tango 1998).

    No lines give (-1, 1). Limits are exact to 1e-12.
    """
    z = _critical(confidence)
    if lines == 0:
        _require_discordant(only_first, only_second, lines)
        return Bounds(-1.0, 1.0)

    def statistic(difference: float) -> float:
        return tango_z(only_first, only_second, lines, difference)

    seen = (only_first - only_second) / lines
    low = -1.0 if seen <= -1 else _crossing(statistic, -1.0, seen, z)
    high = 1.0 if seen >= 1 else _crossing(statistic, seen, 1.0, -z)
    return Bounds(low, high)


def tango_p_above(only_first: float, only_second: float, lines: float, difference: float) -> float:
    """One-sided p-value of H0 "first share minus second share <= difference", by :func:`tango_z`; 1 without lines."""
    if lines == 0:
        _require_discordant(only_first, only_second, lines)
        return 1.0
    return normal_sf(tango_z(only_first, only_second, lines, difference))


def _crossing(falling: Callable[[float], float], low: float, high: float, level: float) -> float:
    """Where a falling function meets a level, by halving."""
    while high - low > 1e-13:
        middle = (low + high) / 2
        if falling(middle) > level:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _critical(confidence: float) -> float:
    return normal_quantile((1 + require_probability(confidence, "confidence")) / 2)


def _share(successes: float, lines: float) -> float:
    return successes / lines if lines else 0.5


def _require_share(successes: float, lines: float) -> None:
    if require_count(successes, "successes") > require_count(lines, "lines"):
        raise ValueError(f"{successes} successes in {lines} lines")


def _require_four(both: float, only_first: float, only_second: float, neither: float) -> float:
    names = ("both", "only_first", "only_second", "neither")
    counts = (both, only_first, only_second, neither)
    return sum(require_count(count, name) for count, name in zip(counts, names, strict=True))


def _require_discordant(only_first: float, only_second: float, lines: float) -> None:
    seen = require_count(only_first, "only_first") + require_count(only_second, "only_second")
    if seen > require_count(lines, "lines"):
        raise ValueError(f"{seen} discordant lines in {lines} lines")
