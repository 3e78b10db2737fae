"""Which statistical method answers which question here. The methods themselves are in ``statistics/``."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from flowyard.decisions.model import Interval, MetricKind
from flowyard.statistics.bootstrap import cluster_interval, mean_interval
from flowyard.statistics.mcnemar import mcnemar_mid_p
from flowyard.statistics.paired import paired_t, sign_flip
from flowyard.statistics.percentiles import percentile_interval
from flowyard.statistics.power import detectable_difference_binary, lines_needed_binary
from flowyard.statistics.proportions import newcombe_paired_interval, tango_p_above, wilson_interval
from flowyard.statistics.special import normal_quantile

__all__ = ["Compared", "compare_pairs", "interval_of_mean", "interval_of_percentile", "lines_not_worse", "not_worse"]

_MOST_RESAMPLED, _MANY = 2_000, 50
"""Above so many lines with many different values, the t interval says the same and takes no time."""
_POWER = 0.8


@dataclass(frozen=True, slots=True)
class Compared:
    """Two versions on the same lines: first minus second."""

    value: float
    interval: Interval | None
    p_value: float | None
    method: str
    lines: int
    won: int
    lost: int
    tied: int
    detectable: float | None
    lines_needed: int | None


def interval_of_mean(
    values: Sequence[float],
    kind: MetricKind,
    *,
    confidence: float,
    seed: int,
    clusters: Sequence[Hashable] | None = None,
) -> Interval | None:
    """Where the mean of all lines of that kind is. None where the lines do not bound it."""
    if not values:
        return None
    if clusters is not None:
        return _interval(
            cluster_interval(values, clusters, confidence, seed=seed), confidence, "cluster bootstrap (BCa)"
        )
    if kind == "binary":
        return _interval(wilson_interval(math.fsum(values), len(values), confidence), confidence, "Wilson")
    if len(values) < 2:
        return None
    if _is_long(values):
        return _interval(paired_t(values, confidence).interval, confidence, "t")
    return _interval(mean_interval(values, confidence, seed=seed), confidence, "bootstrap (BCa)")


def interval_of_percentile(values: Sequence[float], share: float, confidence: float) -> Interval | None:
    """Between two of the ordered values, exact for any distribution. None where there are too few to bound it."""
    return _interval(percentile_interval(values, 100 * share, confidence), confidence, "order statistics")


def compare_pairs(
    first: Sequence[float],
    second: Sequence[float],
    kind: MetricKind,
    *,
    higher_is_better: bool,
    confidence: float,
    seed: int,
    clusters: Sequence[Hashable] | None = None,
) -> Compared:
    """First minus second over lines that both have, with an interval, a two-sided test and how far it can see."""
    differences = [a - b for a, b in zip(first, second, strict=True)]
    lines = len(differences)
    above, below = sum(each > 0 for each in differences), sum(each < 0 for each in differences)
    won, lost = (above, below) if higher_is_better else (below, above)
    if not lines:
        return Compared(math.nan, None, None, "", 0, 0, 0, 0, None, None)
    value = math.fsum(differences) / lines
    if clusters is not None:
        interval = _interval(
            cluster_interval(differences, clusters, confidence, seed=seed), confidence, "cluster bootstrap (BCa)"
        )
        p_value, method = sign_flip(_sums(differences, clusters), seed=seed), "sign flips of clusters"
    elif kind == "binary":
        both = sum(a == 1 and b == 1 for a, b in zip(first, second, strict=True))
        interval = _interval(
            newcombe_paired_interval(both, above, below, lines - both - above - below, confidence),
            confidence,
            "Newcombe, paired",
        )
        p_value, method = mcnemar_mid_p(above, below), "McNemar mid-p"
    else:
        interval = _paired_interval(differences, confidence, seed)
        p_value, method = _p_of_differences(differences, seed)
    if kind == "binary" and clusters is None:
        detectable = detectable_difference_binary(lines, (above + below) / lines, _POWER, 1 - confidence)
        needed = lines_needed_binary(value, (above + below) / lines, _POWER, 1 - confidence)
    else:
        detectable, needed = _sizes(differences, value, confidence)
    return Compared(value, interval, p_value, method, lines, won, lost, lines - won - lost, detectable, needed)


def not_worse(
    better_by: Sequence[float],
    margin: float,
    kind: MetricKind,
    *,
    seed: int,
    clusters: Sequence[Hashable] | None = None,
) -> tuple[float, str]:
    """One-sided p-value of "worse by the margin or more", and the name of the test.

    ``better_by`` is positive where the version is better.
    """
    if clusters is None and kind == "binary" and margin < 1:
        above, below = sum(each > 0 for each in better_by), sum(each < 0 for each in better_by)
        return tango_p_above(above, below, len(better_by), -margin), "Tango's score test"
    shifted = [each + margin for each in better_by]
    if clusters is not None:
        return sign_flip(_sums(shifted, clusters), "greater", seed=seed), "one-sided sign flips of clusters"
    if _is_long(shifted):
        return _one_sided_t(shifted), "one-sided paired t"
    return sign_flip(shifted, "greater", seed=seed), "one-sided sign flips"


def lines_not_worse(better_by: Sequence[float], margin: float, alpha: float) -> int | None:
    """How many lines like these would show it with 80 % power; None where they never would, or all are the same."""
    lines = len(better_by)
    if lines < 2:
        return None
    mean = math.fsum(better_by) / lines
    spread = math.sqrt(math.fsum((each - mean) ** 2 for each in better_by) / (lines - 1))
    if not spread or mean + margin <= 0:
        return None
    reach = (normal_quantile(1 - alpha) + normal_quantile(_POWER)) * spread
    needed = math.ceil((reach / (mean + margin)) ** 2)
    return needed if needed < 10**9 else None


def _one_sided_t(values: Sequence[float]) -> float:
    test = paired_t(values)
    return test.p_value / 2 if test.statistic > 0 else 1 - test.p_value / 2


def _paired_interval(differences: Sequence[float], confidence: float, seed: int) -> Interval | None:
    if len(differences) < 2:
        return None
    if _is_long(differences):
        return _interval(paired_t(differences, confidence).interval, confidence, "t")
    return _interval(mean_interval(differences, confidence, seed=seed), confidence, "bootstrap (BCa)")


def _p_of_differences(differences: Sequence[float], seed: int) -> tuple[float, str]:
    if _is_long(differences):
        return paired_t(differences).p_value, "paired t"
    return sign_flip(differences, seed=seed), "sign flips"


def _is_long(values: Sequence[float]) -> bool:
    """Whether there are so many different values that resampling them takes long and gives what the t interval does."""
    return len(values) > _MOST_RESAMPLED and len(set(values)) > _MANY


def _sums(values: Sequence[float], clusters: Sequence[Hashable]) -> list[float]:
    sums: dict[Hashable, float] = {}
    for value, cluster in zip(values, clusters, strict=True):
        sums[cluster] = sums.get(cluster, 0.0) + value
    return list(sums.values())


def _sizes(differences: Sequence[float], value: float, confidence: float) -> tuple[float | None, int | None]:
    """The smallest difference that so many lines show with 80 % power, and how many lines would show this one."""
    lines = len(differences)
    if lines < 2:
        return None, None
    spread = math.sqrt(math.fsum((each - value) ** 2 for each in differences) / (lines - 1))
    reach = (normal_quantile((1 + confidence) / 2) + normal_quantile(_POWER)) * spread
    if not spread:
        return None, None
    needed = math.ceil((reach / value) ** 2) if value else None
    return reach / math.sqrt(lines), needed if needed is not None and needed < 10**9 else None


def _interval(bounds: tuple[float, float], confidence: float, method: str) -> Interval | None:
    low, high = bounds
    return Interval(low, high, confidence, method) if math.isfinite(low) and math.isfinite(high) else None
