"""Less variance by what was known before: CUPED (Deng, Xu, Kohavi and Walker 2013).

The covariate must not depend on the version: a score of the same user or prompt from before the test, or that of the
baseline.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from flowyard.statistics.inputs import require_pairs

__all__ = ["Cuped", "cuped"]


@dataclass(frozen=True, slots=True)
class Cuped:
    """``adjusted[arm]`` has the values of an arm less theta x (covariate - its mean over all arms).

    Their differences of means are unbiased; their variance is about ``variance_factor`` = 1 - correlation squared of
    what it was, within arms.
    """

    theta: float
    variance_factor: float
    adjusted: tuple[tuple[float, ...], ...]


def cuped(values: Sequence[Sequence[float]], covariates: Sequence[Sequence[float]]) -> Cuped:
    """Adjust each arm's values by its covariates; one sequence for each arm, paired within.

    theta is one for all arms, from the covariance within arms, so that a difference between them does not leak into it.
    A covariate or values without variance: theta 0, factor 1. ValueError for no arms, an empty arm and other lengths.
    """
    if len(values) != len(covariates) or not values or any(not arm for arm in values):
        raise ValueError("each arm needs values and covariates")
    arms = [require_pairs(arm, covariate) for arm, covariate in zip(values, covariates, strict=True)]
    products = math.fsum(_products(arm, covariate) for arm, covariate in arms)
    squares = math.fsum(_products(covariate, covariate) for _, covariate in arms)
    spread = math.fsum(_products(arm, arm) for arm, _ in arms)
    if squares == 0 or spread == 0:
        return Cuped(0.0, 1.0, tuple(tuple(arm) for arm, _ in arms))
    theta = products / squares
    everything = [value for _, covariate in arms for value in covariate]
    center = math.fsum(everything) / len(everything)
    adjusted = tuple(
        tuple(value - theta * (known - center) for value, known in zip(arm, covariate, strict=True))
        for arm, covariate in arms
    )
    return Cuped(theta, max(0.0, 1 - theta * (products / spread)), adjusted)


def _products(first: Sequence[float], second: Sequence[float]) -> float:
    """The sum of products of deviations from the means."""
    mean_first, mean_second = math.fsum(first) / len(first), math.fsum(second) / len(second)
    return math.fsum((x - mean_first) * (y - mean_second) for x, y in zip(first, second, strict=True))
