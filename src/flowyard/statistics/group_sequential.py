"""Bounds for a fixed number of looks at accumulating data, for tests whose looks are planned (no anytime validity)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Literal

from flowyard.statistics.inputs import require_probability
from flowyard.statistics.special import normal_quantile

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Shape", "group_sequential_bounds"]

Shape = Literal["obrien-fleming", "pocock"]

_POINTS = 401


def group_sequential_bounds(looks: int, alpha: float = 0.05, shape: Shape = "obrien-fleming") -> tuple[float, ...]:
    """Two-sided limits of |z| at each of so many equally spaced looks; to be passed with chance alpha under H0.

    Pocock 1977 (the same at each look), O'Brien and Fleming 1979 (falling with the root of the look), by recursive
    integration (Armitage, McPherson and Rowe 1969), to about 1e-8. ValueError unless 1 <= looks <= 100.
    """
    require_probability(alpha, "alpha")
    if not 1 <= looks <= 100:
        raise ValueError(f"looks is {looks}; 1 to 100 can be planned")
    factors = [math.sqrt(looks / look) if shape == "obrien-fleming" else 1.0 for look in range(1, looks + 1)]
    low, high = normal_quantile(1 - alpha / 2), normal_quantile(1 - alpha / 2 / looks) + 0.1
    while high - low > 1e-10:
        middle = (low + high) / 2
        if _crossing_chance([middle * factor for factor in factors]) > alpha:
            low = middle
        else:
            high = middle
    return tuple(high * factor for factor in factors)


def _crossing_chance(limits: list[float]) -> float:
    """The chance that a random walk of normal steps, over the root of its length, ever leaves the limits."""
    import numpy  # noqa: PLC0415 - heavy

    nodes, weights = _simpson(limits[0])
    density = numpy.exp(-(nodes**2) / 2) / math.sqrt(2 * math.pi)
    for look, limit in enumerate(limits[1:], 2):
        following, following_weights = _simpson(limit * math.sqrt(look))
        steps = numpy.exp(-((following[:, None] - nodes[None, :]) ** 2) / 2) / math.sqrt(2 * math.pi)
        density = steps @ (weights * density)
        nodes, weights = following, following_weights
    return float(1 - weights @ density)


def _simpson(limit: float) -> tuple[NDArray[Any], NDArray[Any]]:
    """Nodes and weights of Simpson's rule from -limit to limit."""
    import numpy  # noqa: PLC0415 - heavy

    weights = numpy.ones(_POINTS)
    weights[1:-1:2], weights[2:-1:2] = 4, 2
    return numpy.linspace(-limit, limit, _POINTS), weights * (2 * limit / (_POINTS - 1) / 3)
