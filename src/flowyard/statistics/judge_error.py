"""A judge's own error, carried into the interval of what it measured, with labels of people on some of the lines.

The lines with labels have to be a random choice of all lines. Then both methods here are unbiased however bad the judge
is; a bad judge costs width only, down to what the labels alone would give.

- 0 and 1: among lines that the judge passed, and among those it failed, the labels tell how many are right in truth;
  the two shares are weighed by how often the judge says what (Tenenbein 1970, double sampling; it is prediction-powered
  inference with the best possible weight). The interval joins three Wilson intervals (Newcombe's squares, Zou and
  Donner 2008), so that a judge without a seen error on 20 lines is not taken to be perfect.
- Scores and differences: prediction-powered inference with a tuned weight (Angelopoulos, Duchi and Zrnic 2023, PPI++).
  Where lines belong to clusters, the variance is that of the clusters' sums of the estimate's linear form (as for any
  estimate from a cluster sample), for 0 and 1 as well; then whole clusters have to be the random choice.

Rogan and Gladen's estimator (1978) is not used: it needs sensitivity and specificity, divides by their sum minus 1,
which explodes for weak judges and leaves 0..1, and is never narrower than the first method on the same labels.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from flowyard.statistics.inputs import Bounds, require_finite
from flowyard.statistics.proportions import wilson_interval
from flowyard.statistics.special import student_t_quantile

__all__ = ["JudgedMean", "judged_mean", "judged_mean_of_clusters", "judged_share", "mean_of_clusters"]

Label = float | None
"""What a person says of a line; None or NaN where nobody was asked."""


@dataclass(frozen=True, slots=True)
class JudgedMean:
    """``value`` is corrected by the labels; ``judged`` is what the judge alone says. ``weight`` is how far the judge is
    trusted beyond the labels, 0..1 (for 0 and 1 as scores: how far its verdict tells right from wrong).
    """

    value: float
    judged: float
    interval: Bounds
    lines: int
    labelled_lines: int
    weight: float


def judged_share(judged: Sequence[float], labels: Sequence[Label], confidence: float = 0.95) -> JudgedMean:
    """The true share of right lines. ``judged`` has 0 or 1 for each line, ``labels`` too or None.

    Where no line of one verdict has a label, that verdict is taken at its word, with an interval from 0 to 1. With all
    lines labelled it is Wilson's interval of the labels. ValueError for other values, for no lines and for no labels.
    """
    verdicts, asked = _require_judged(judged, labels, at_least=1)
    if any(value not in (0, 1) for value in (*verdicts, *asked.values())):
        raise ValueError("verdicts and labels have to be 0 or 1")
    lines, passed = len(verdicts), sum(verdicts)
    pass_share = passed / lines
    if len(asked) == lines:
        right = sum(asked.values())
        interval = wilson_interval(right, lines, confidence)
        return JudgedMean(right / lines, pass_share, interval, lines, lines, 0.0)
    of_passed = _Known.of([label for line, label in asked.items() if verdicts[line] == 1], 1.0, confidence)
    of_failed = _Known.of([label for line, label in asked.items() if verdicts[line] == 0], 0.0, confidence)
    shares = _Known(pass_share, wilson_interval(passed, lines, confidence))
    value = pass_share * of_passed.value + (1 - pass_share) * of_failed.value
    gain = of_passed.value - of_failed.value
    interval = Bounds(
        max(0.0, value - _joined_below(shares, of_passed, of_failed)),
        min(1.0, value + _joined_above(shares, of_passed, of_failed)),
    )
    return JudgedMean(value, pass_share, interval, lines, len(asked), max(0.0, gain))


@dataclass(frozen=True, slots=True)
class _Known:
    """A share and its interval."""

    value: float
    interval: Bounds

    @classmethod
    def of(cls, labels: Sequence[float], otherwise: float, confidence: float) -> _Known:
        right, lines = sum(labels), len(labels)
        return cls(right / lines if lines else otherwise, wilson_interval(right, lines, confidence))

    @property
    def below(self) -> float:
        return self.value - self.interval.low

    @property
    def above(self) -> float:
        return self.interval.high - self.value


def _joined_below(shares: _Known, of_passed: _Known, of_failed: _Known) -> float:
    gain = of_passed.value - of_failed.value
    by_shares = gain * (shares.below if gain >= 0 else shares.above)
    return math.hypot(by_shares, shares.value * of_passed.below, (1 - shares.value) * of_failed.below)


def _joined_above(shares: _Known, of_passed: _Known, of_failed: _Known) -> float:
    gain = of_passed.value - of_failed.value
    by_shares = gain * (shares.above if gain >= 0 else shares.below)
    return math.hypot(by_shares, shares.value * of_passed.above, (1 - shares.value) * of_failed.above)


def judged_mean(judged: Sequence[float], labels: Sequence[Label], confidence: float = 0.95) -> JudgedMean:
    """The true mean of a score, or of paired differences of two versions (give differences as verdicts and labels).

    The interval is Student's with labelled lines - 1 degrees of freedom. One labelled line: no ends. When judge and
    labels differ by the same amount on every labelled line, their error has no variance and is taken to be constant:
    with few labels, read that interval with care. ValueError for no lines and for no labels.
    """
    verdicts, asked = _require_judged(judged, labels, at_least=1)
    lines, labelled = len(verdicts), len(asked)
    judge_alone = math.fsum(verdicts) / lines
    truth = list(asked.values())
    seen = [verdicts[line] for line in asked]
    others = [value for line, value in enumerate(verdicts) if line not in asked]
    weight = _tuned_weight(seen, truth, others)
    rest = [true - weight * value for true, value in zip(truth, seen, strict=True)]
    value = _mean(rest) + (weight * _mean(others) if others else 0.0)
    if labelled == 1:
        return JudgedMean(value, judge_alone, Bounds(-math.inf, math.inf), lines, labelled, weight)
    variance = _variance(rest) / labelled
    if len(others) > 1:
        variance += weight**2 * _variance(others) / len(others)
    half = student_t_quantile((1 + confidence) / 2, labelled - 1) * math.sqrt(variance)
    return JudgedMean(value, judge_alone, Bounds(value - half, value + half), lines, labelled, weight)


def judged_mean_of_clusters(
    judged: Sequence[float],
    labels: Sequence[Label],
    clusters: Sequence[Hashable],
    *,
    known: Sequence[tuple[float, Hashable]] = (),
    confidence: float = 0.95,
) -> JudgedMean:
    """The true mean of a score whose lines belong to clusters, such as the turns of one conversation.

    The value is that of ``judged_mean``, with the lines of ``known`` value, which nobody judged, beside the others. The
    interval is Student's over the sums of each cluster's influences (linearised), with labelled clusters - 1 degrees of
    freedom; one labelled cluster: no ends. ``clusters`` has the cluster of each judged line. ValueError as there.
    """
    alone = judged_mean(judged, labels, confidence)
    if len(clusters) != len(judged):
        raise ValueError(f"{len(clusters)} clusters do not fit {len(judged)} lines")
    weight = alone.weight
    asked = [
        None if label is None or math.isnan(label) else label - weight * value
        for value, label in zip(judged, labels, strict=True)
    ]
    rest = [each for each in asked if each is not None]
    others = [value for value, each in zip(judged, asked, strict=True) if each is None]
    lines, whole = len(judged), len(judged) + len(known)
    value = (alone.value * lines + math.fsum(each for each, _ in known)) / whole
    mean_rest, mean_others = _mean(rest), _mean(others) if others else 0.0
    sums: dict[Hashable, float] = {}
    for verdict, each, cluster in zip(judged, asked, clusters, strict=True):
        if each is None:
            influence = lines / len(others) * weight * (verdict - mean_others)
        else:
            influence = lines / len(rest) * (each - mean_rest)
        sums[cluster] = sums.get(cluster, 0.0) + influence + alone.value - value
    for each, cluster in known:
        sums[cluster] = sums.get(cluster, 0.0) + each - value
    labelled = len({cluster for cluster, each in zip(clusters, asked, strict=True) if each is not None})
    if labelled == 1:
        return JudgedMean(value, alone.judged, Bounds(-math.inf, math.inf), lines, alone.labelled_lines, weight)
    count = len(sums)
    error = math.sqrt(count / (count - 1) * math.fsum(each**2 for each in sums.values())) / whole
    half = student_t_quantile((1 + confidence) / 2, labelled - 1) * error
    return JudgedMean(value, alone.judged, Bounds(value - half, value + half), lines, alone.labelled_lines, weight)


def mean_of_clusters(values: Sequence[float], clusters: Sequence[Hashable], confidence: float = 0.95) -> Bounds:
    """Where the mean of lines in clusters is: ``judged_mean_of_clusters`` with every line labelled."""
    return judged_mean_of_clusters(values, values, clusters, confidence=confidence).interval


def _tuned_weight(seen: Sequence[float], truth: Sequence[float], others: Sequence[float]) -> float:
    """The weight of the judge that makes the variance smallest, within 0..1 (PPI++, equation 6)."""
    if len(others) < 2 or len(seen) < 2:
        return 0.0
    mean_seen, mean_truth = _mean(seen), _mean(truth)
    pairs = zip(seen, truth, strict=True)
    covariance = math.fsum((x - mean_seen) * (y - mean_truth) for x, y in pairs) / (len(seen) - 1)
    variance = _variance([*seen, *others])
    if variance == 0:
        return 0.0
    return min(1.0, max(0.0, covariance / (variance * (1 + len(seen) / len(others)))))


def _require_judged(
    judged: Sequence[float], labels: Sequence[Label], at_least: int
) -> tuple[list[float], dict[int, float]]:
    """The verdicts, and the labels by line."""
    if len(judged) != len(labels):
        raise ValueError(f"{len(judged)} verdicts do not fit {len(labels)} labels")
    asked = {line: label for line, label in enumerate(labels) if label is not None and not math.isnan(label)}
    if len(asked) < at_least:
        raise ValueError("no line has a label, so nothing is known of the judge's error")
    return require_finite(judged, "judged", at_least=1), dict(zip(asked, require_finite(asked.values()), strict=True))


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)


def _variance(values: Sequence[float]) -> float:
    mean = _mean(values)
    return math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1)
