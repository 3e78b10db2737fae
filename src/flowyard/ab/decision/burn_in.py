"""How many values each arm needs before a confidence sequence of means, which is asymptotic, is trusted."""

from __future__ import annotations

import math

__all__ = ["BURN_IN", "SKEWED", "values_needed"]

BURN_IN = 50
"""Values of each arm (of the rarer kind, for yes and no)."""

SKEWED = 25.0
"""And for numbers so many more, times the square of their skewness (Cochran 1977, "Sampling techniques", 2.15).

Without these, tests of a number that was zero for 95 % of the units were wrong three times as often as promised.
"""

_LEAST_SPREAD = 1e-4
"""Of the mean: the skewness of what spreads less is lost in rounding."""


def values_needed(n: int, total: float, squares: float, cubes: float) -> float:
    """The least number of values in each arm, by the sums of the powers of all ``n`` values of both; NaN when
    they are too large, so that no number is enough."""
    skewness = _skewness(n, total, squares, cubes)
    return BURN_IN + SKEWED * skewness * skewness


def _skewness(n: int, total: float, squares: float, cubes: float) -> float:
    if n < 2:
        return 0.0
    mean = total / n
    variance = squares / n - mean * mean
    if variance <= (_LEAST_SPREAD * mean) ** 2 or variance <= 0:
        return 0.0
    return (cubes / n - 3 * mean * squares / n + 2 * mean * mean * mean) / (variance * math.sqrt(variance))
