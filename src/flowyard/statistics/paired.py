"""Is the mean of paired differences 0? ``differences`` has one number for each line, version minus baseline."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from flowyard.statistics.inputs import Bounds, require_finite, require_probability
from flowyard.statistics.special import normal_sf, student_t_quantile, student_t_sf

if TYPE_CHECKING:
    import numpy
    from numpy.typing import NDArray

__all__ = [
    "Alternative",
    "PairedT",
    "WilcoxonSignedRank",
    "paired_t",
    "sign_flip",
    "standard_error",
    "wilcoxon_signed_rank",
]

Alternative = Literal["two-sided", "greater", "less"]

_EXACT_SIGNS = 20
_EXACT_RANKS = 50
_SIGNS_AT_ONCE = 2_000_000


@dataclass(frozen=True, slots=True)
class PairedT:
    """``difference`` is the mean; ``statistic`` is t with lines - 1 ``degrees_of_freedom``; p is two-sided."""

    difference: float
    statistic: float
    degrees_of_freedom: int
    p_value: float
    interval: Bounds


def paired_t(differences: Sequence[float], confidence: float = 0.95) -> PairedT:
    """Student's t-test of paired differences (Student 1908).

    One line says nothing: t and p are 0 and 1, the interval has no ends. Equal differences have no variance: the
    interval is the point, t is 0 with p = 1 when all are 0, else infinite with p = 0, which few lines do not justify;
    take :func:`sign_flip`'s p-value there. ValueError without lines.
    """
    require_probability(confidence, "confidence")
    values = require_finite(differences, "differences", at_least=1)
    lines, mean = len(values), math.fsum(values) / len(values)
    if lines == 1:
        return PairedT(mean, 0.0, 0, 1.0, Bounds(-math.inf, math.inf))
    if min(values) == max(values):
        mean = values[0]
        statistic = math.copysign(math.inf, mean) if mean else 0.0
        return PairedT(mean, statistic, lines - 1, 0.0 if mean else 1.0, Bounds(mean, mean))
    error = standard_error(values)
    half = student_t_quantile((1 + confidence) / 2, lines - 1) * error
    statistic = mean / error
    p_value = 2 * student_t_sf(abs(statistic), lines - 1)
    return PairedT(mean, statistic, lines - 1, p_value, Bounds(mean - half, mean + half))


def standard_error(values: Sequence[float]) -> float:
    """The standard error of the mean of two or more values that are not all equal; above 0 also for tiny ones."""
    mean = math.fsum(values) / len(values)
    scale = max(abs(value - mean) for value in values)  # squares of very small or large numbers leave a float's range
    squares = math.fsum(((value - mean) / scale) ** 2 for value in values)
    return max(scale * math.sqrt(squares / (len(values) - 1) / len(values)), 5e-324)


def sign_flip(
    differences: Sequence[float], alternative: Alternative = "two-sided", resamples: int = 10_000, seed: int = 0
) -> float:
    """p-value of the mean difference when each line's sign is as likely to be the other one (Fisher 1935).

    Exact up to 20 differences that are not 0 (for 0 and 1 as scores it is McNemar's exact test), else
    (1 + as extreme) / (1 + resamples) from seeded random signs, which keeps the level (Phipson and Smyth 2010).
    1 when all differences are 0. ValueError without lines.
    """
    import numpy  # noqa: PLC0415 - heavy

    values = numpy.array(require_finite(differences, "differences", at_least=1))
    if resamples < 1:
        raise ValueError(f"resamples is {resamples}; at least 1 is needed")
    values = values[values != 0]
    sizes, total = numpy.abs(values), float(values.sum())
    tolerance = 1e-9 * float(sizes.sum())
    if len(sizes) <= _EXACT_SIGNS:
        return _as_extreme(_all_sums(sizes), total, tolerance, alternative) / float(2 ** len(sizes))
    generator = numpy.random.default_rng(seed)
    found = sum(_as_extreme(sums, total, tolerance, alternative) for sums in _random_sums(sizes, resamples, generator))
    return (1 + found) / (1 + resamples)


def _all_sums(sizes: NDArray[Any]) -> NDArray[Any]:
    """The sums under all 2^n choices of signs."""
    import numpy  # noqa: PLC0415 - heavy

    sums = numpy.zeros(1)
    for size in sizes:
        sums = numpy.concatenate((sums - size, sums + size))
    return sums


def _random_sums(sizes: NDArray[Any], resamples: int, generator: numpy.random.Generator) -> Any:
    """Arrays of sums under random signs, ``resamples`` in all. Equal sizes are drawn together, as a binomial."""
    import numpy  # noqa: PLC0415 - heavy

    distinct, counts = numpy.unique(sizes, return_counts=True)
    together = len(distinct) * 8 <= len(sizes)
    at_once = max(1, _SIGNS_AT_ONCE // (len(distinct) if together else len(sizes)))
    for start in range(0, resamples, at_once):
        rows = min(at_once, resamples - start)
        if together:
            plus = generator.binomial(counts, 0.5, size=(rows, len(distinct)))
            yield (2 * plus - counts) @ distinct
        else:
            packed = generator.integers(0, 256, size=(rows, -(-len(sizes) // 8)), dtype=numpy.uint8)
            signs = numpy.unpackbits(packed, axis=1, count=len(sizes))
            yield 2 * (signs @ sizes) - sizes.sum()


def _as_extreme(sums: NDArray[Any], total: float, tolerance: float, alternative: Alternative) -> int:
    if alternative == "greater":
        return int((sums >= total - tolerance).sum())
    if alternative == "less":
        return int((sums <= total + tolerance).sum())
    return int((abs(sums) >= abs(total) - tolerance).sum())


@dataclass(frozen=True, slots=True)
class WilcoxonSignedRank:
    """``statistic`` is V, the sum of the ranks of positive differences; ``exact`` tells how p was found."""

    statistic: float
    p_value: float
    exact: bool


def wilcoxon_signed_rank(differences: Sequence[float], alternative: Alternative = "two-sided") -> WilcoxonSignedRank:
    """Wilcoxon's signed-rank test (Wilcoxon 1945), for scores whose order means more than their distance.

    Zeros are left out, equal sizes share their mean rank. Exact up to 50 differences that are not 0, ties included
    (all signs equally likely); above, normal with corrections for ties and continuity. All zeros: V = 0, p = 1.
    """
    values = [value for value in require_finite(differences, "differences") if value != 0]
    ranks = _doubled_ranks([abs(value) for value in values])
    positive = sum(rank for rank, value in zip(ranks, values, strict=True) if value > 0)
    if not values:
        return WilcoxonSignedRank(0.0, 1.0, True)
    exact = len(values) <= _EXACT_RANKS
    tails = _exact_tails(ranks, positive) if exact else _normal_tails(ranks, positive)
    p_value = {"less": tails[0], "greater": tails[1], "two-sided": min(1.0, 2 * min(tails))}[alternative]
    return WilcoxonSignedRank(positive / 2, p_value, exact)


def _doubled_ranks(sizes: Sequence[float]) -> list[int]:
    """Twice the rank of each size, so that mean ranks of ties are whole."""
    ordered = sorted(sizes)
    first = {size: place for place, size in reversed(list(enumerate(ordered, 1)))}
    last = {size: place for place, size in enumerate(ordered, 1)}
    return [first[size] + last[size] for size in sizes]


def _exact_tails(ranks: Sequence[int], seen: int) -> tuple[float, float]:
    """(P(V <= seen), P(V >= seen)) over all choices of signs, by adding one rank after the other."""
    ways = [1]
    for rank in ranks:
        longer = ways + [0] * rank
        for place, count in enumerate(ways):
            longer[place + rank] += count
        ways = longer
    whole = 2 ** len(ranks)
    return sum(ways[: seen + 1]) / whole, sum(ways[seen:]) / whole


def _normal_tails(ranks: Sequence[int], seen: int) -> tuple[float, float]:
    mean = sum(ranks) / 4
    spread = math.sqrt(sum((rank / 2) ** 2 for rank in ranks) / 4)
    return normal_sf((mean - seen / 2 - 0.5) / spread), normal_sf((seen / 2 - mean - 0.5) / spread)
