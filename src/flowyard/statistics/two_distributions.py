"""Do two independent samples come of the same distribution: of numbers, of categories, of vectors?

P-values answer "is it chance", effects "is it much": of many values even a tiny difference is no chance, and of few
even a large one may be.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from flowyard.statistics.inputs import require_finite
from flowyard.statistics.special import chi_square_sf

__all__ = [
    "EnergyTest",
    "TwoSampleTest",
    "chi_square_homogeneity",
    "energy_test",
    "kolmogorov_sf",
    "kolmogorov_smirnov",
    "stability_index",
]

_ENOUGH_EXPECTED = 5
_MOST_EXACT = 10_000
"""Of n times m: the exact p-value of Kolmogorov and Smirnov costs as many steps."""


@dataclass(frozen=True, slots=True)
class TwoSampleTest:
    """A test statistic and its two-sided p-value."""

    statistic: float
    p_value: float


@dataclass(frozen=True, slots=True)
class EnergyTest:
    """``coefficient`` is the share, 0 to 1, of the distance between two samples that is not found inside them."""

    coefficient: float
    p_value: float


def kolmogorov_smirnov(first: Sequence[float], second: Sequence[float]) -> TwoSampleTest:
    """The largest distance of two empirical distributions.

    Its p-value is exact for small samples, given which values are equal (Schroeer and Trenkler 1995), and else
    Kolmogorov's limit with the correction of Stephens (1970), which is cautious where values are equal. No values in
    one of them: 0 and 1. ValueError for NaN and infinity.
    """
    left, right = sorted(require_finite(first)), sorted(require_finite(second))
    n, m = len(left), len(right)
    if not n or not m:
        return TwoSampleTest(0.0, 1.0)
    distance, ends = _distance(left, right)
    if n * m <= _MOST_EXACT:
        return TwoSampleTest(distance, _exact(distance, n, m, ends))
    root = math.sqrt(n / (n + m) * m)
    return TwoSampleTest(distance, kolmogorov_sf((root + 0.12 + 0.11 / root) * distance))


def _distance(left: Sequence[float], right: Sequence[float]) -> tuple[float, list[bool]]:
    """The distance, and for each place among all values in order whether a larger one follows."""
    ordered = sorted([(value, 0) for value in left] + [(value, 1) for value in right])
    counts, largest, ends = [0, 0], 0.0, []
    for place, (value, side) in enumerate(ordered):
        counts[side] += 1
        is_end = place + 1 == len(ordered) or ordered[place + 1][0] > value
        ends.append(is_end)
        if is_end:
            largest = max(largest, abs(counts[0] / len(left) - counts[1] / len(right)))
    return largest, ends


def _exact(distance: float, n: int, m: int, ends: Sequence[bool]) -> float:
    """1 minus the share of orders of both samples that keep below the distance wherever a value ends."""
    least = (0.5 + math.floor(distance * n * m - 1e-7)) / (n * m)

    def is_far(i: int, j: int) -> bool:
        return i + j > 0 and ends[i + j - 1] and abs(i / n - j / m) >= least

    below = [1.0] + [0.0] * m
    for j in range(1, m + 1):
        below[j] = 0.0 if is_far(0, j) else below[j - 1]
    for i in range(1, n + 1):
        share = i / (i + m)
        below[0] = 0.0 if is_far(i, 0) else share * below[0]
        for j in range(1, m + 1):
            below[j] = 0.0 if is_far(i, j) else share * below[j] + below[j - 1]
    return min(1.0, max(0.0, 1 - below[m]))


def kolmogorov_sf(x: float) -> float:
    """P(K > x) of Kolmogorov's limit distribution; 1 for x <= 0."""
    if x <= 0:
        return 1.0
    if x < 1:  # the theta function the other way round, which is quick here
        terms = (math.exp(-((2 * k - 1) ** 2) * math.pi**2 / (8 * x * x)) for k in range(1, 6))
        return max(0.0, 1 - math.sqrt(2 * math.pi) / x * sum(terms))
    return min(1.0, max(0.0, 2 * sum((1 if k % 2 else -1) * math.exp(-2 * k * k * x * x) for k in range(1, 12))))


def chi_square_homogeneity(
    first: Sequence[int], second: Sequence[int], permutations: int = 9999, seed: int = 0
) -> TwoSampleTest:
    """Pearson's test that two samples fall into the same categories with the same chances; both count them in order.

    Where less than 5 is expected of a category in one of the samples, the p-value is by drawn tables with the same
    sums, which is right for any counts. One category or an empty sample: 0 and 1. ValueError for counts that are
    negative or of different lengths.
    """
    _require_counts(first, second)
    pairs = [(left, right) for left, right in zip(first, second, strict=True) if left + right]
    n, m = sum(first), sum(second)
    if not n or not m or len(pairs) < 2:
        return TwoSampleTest(0.0, 1.0)
    statistic = math.fsum(_distances((left for left, _ in pairs), [left + right for left, right in pairs], n, m))
    if min(map(sum, pairs)) * min(n, m) >= _ENOUGH_EXPECTED * (n + m):
        return TwoSampleTest(statistic, chi_square_sf(statistic, len(pairs) - 1))
    return TwoSampleTest(statistic, _drawn_p_value(statistic, [sum(pair) for pair in pairs], n, m, permutations, seed))


def _distances(counts: Iterable[float], sums: Sequence[int], n: int, m: int) -> Iterator[float]:
    """What each category adds to Pearson's statistic, of both samples."""
    for count, total in zip(counts, sums, strict=True):
        expected = total * n / (n + m)
        yield (count - expected) ** 2 / expected + (count - expected) ** 2 / (total - expected)


def _drawn_p_value(statistic: float, sums: Sequence[int], n: int, m: int, permutations: int, seed: int) -> float:
    import numpy  # noqa: PLC0415 - heavy

    drawn = numpy.random.default_rng(seed).multivariate_hypergeometric(sums, n, permutations, method="marginals")
    expected = numpy.array(sums) * (n / (n + m))
    distances = ((drawn - expected) ** 2 * (1 / expected + 1 / (numpy.array(sums) - expected))).sum(axis=1)
    as_far = int((distances >= statistic * (1 - 1e-9)).sum())
    return (as_far + 1) / (permutations + 1)


def stability_index(first: Sequence[int], second: Sequence[int]) -> float:
    """The population stability index of two samples by category: Jeffreys' divergence of their shares.

    From 0 on; by custom 0.1 is some and 0.25 a large change. Half an observation is added to each category, so that an
    empty one does not make it infinite. 0 for an empty sample; ValueError as above.
    """
    _require_counts(first, second)
    if not sum(first) or not sum(second):
        return 0.0
    found = [(left, right) for left, right in zip(first, second, strict=True) if left + right]
    n, m = (sum(each) + len(found) / 2 for each in (first, second))
    shares = [((left + 0.5) / n, (right + 0.5) / m) for left, right in found]
    return math.fsum((right - left) * math.log(right / left) for left, right in shares)


def _require_counts(first: Sequence[int], second: Sequence[int]) -> None:
    if len(first) != len(second):
        raise ValueError(f"{len(first)} and {len(second)} categories cannot be compared")
    if any(count < 0 for count in (*first, *second)):
        raise ValueError("a count is negative")


def energy_test(
    first: Sequence[Sequence[float]], second: Sequence[Sequence[float]], permutations: int = 1999, seed: int = 0
) -> EnergyTest:
    """Energy distance of vectors of one length (Szekely and Rizzo 2004), with a p-value by permutations.

    Vectors are made as long as each other first, because of embeddings only the direction counts. Its memory is the
    square of all vectors. An empty sample: 0 and 1. ValueError for vectors of several lengths, NaN and infinity.
    """
    import numpy  # noqa: PLC0415 - heavy

    if not len(first) or not len(second):
        return EnergyTest(0.0, 1.0)
    if len({len(vector) for vector in (*first, *second)}) != 1:
        raise ValueError("the vectors have several lengths")
    points = numpy.array([*first, *second], dtype=float)
    if not numpy.isfinite(points).all():
        raise ValueError("a vector has a number that is not finite")
    size = numpy.linalg.norm(points, axis=1, keepdims=True)
    points /= numpy.where(size > 0, size, 1.0)
    apart = numpy.sqrt(numpy.clip(2 - 2 * points @ points.T, 0, None)) * (1 - numpy.eye(len(points)))
    n, m = len(first), len(second)
    order = numpy.random.default_rng(seed)
    chosen = numpy.zeros((permutations + 1, n + m))
    chosen[0, :n] = 1
    for row in range(1, permutations + 1):
        chosen[row, order.permutation(n + m)[:n]] = 1
    rest = 1 - chosen
    reached = chosen @ apart
    between = (reached * rest).sum(axis=1) / (n * m)
    inside = (reached * chosen).sum(axis=1) / max(1, n * (n - 1))  # without the distances to themselves, which are 0
    inside += ((rest @ apart) * rest).sum(axis=1) / max(1, m * (m - 1))
    distances = 2 * between - inside
    as_far = int((distances[1:] >= distances[0] - 1e-12).sum())
    coefficient = float(distances[0] / (2 * between[0])) if between[0] > 0 else 0.0
    return EnergyTest(min(1.0, max(0.0, coefficient)), (as_far + 1) / (permutations + 1))
