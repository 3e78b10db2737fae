"""How far a judge and people agree on the same lines, and what the judge's errors do to the interval of its metric."""

from __future__ import annotations

import math
from collections.abc import Collection, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from flowyard._util.numbers import percent_text
from flowyard.decisions.model import Estimate, Interval, Metric, Scores
from flowyard.statistics.agreement import ConfusionMatrix, Weights, cohen_kappa, confusion_matrix
from flowyard.statistics.judge_error import (
    JudgedMean,
    judged_mean,
    judged_mean_of_clusters,
    judged_share,
    mean_of_clusters,
)
from flowyard.statistics.proportions import newcombe_paired_interval, wilson_interval
from flowyard.statistics.special import student_t_quantile

__all__ = ["Agreement", "agreement_of", "corrected_estimate", "judge_agreement"]

_CONFIDENCE = 0.95
_MOST_GRADES = 101
_FEWEST_LABELS = 2


@dataclass(frozen=True, slots=True)
class Agreement:
    """A judge beside people, on the lines that both graded.

    ``matrix`` has people's grades as rows and the judge's as columns; None when there are too many different grades.
    ``kappa`` is Cohen's for two grades, and with quadratic ``weights`` for more; None when it is not defined, and then
    there is no ``interval``. ``agreed`` is the share of lines with the same grade, NaN without lines. ``ungraded`` are
    lines that people graded and the judge did not.
    """

    metric: Metric
    dataset: str
    versions: tuple[str, ...]
    lines: int
    ungraded: int
    agreed: float
    kappa: float | None
    interval: Interval | None
    weights: Weights | None = None
    matrix: ConfusionMatrix | None = None

    @property
    def sentence(self) -> str:
        """All of it in a sentence for people."""
        start = f"{self.metric.name} on {self.dataset}: "
        if not self.lines:
            return f"{start}no line has a grade of both the judge and people."
        same = round(self.agreed * self.lines)
        text = (
            f"{start}judge and people gave the same grade on {same} of {self.lines} lines ({percent_text(self.agreed)})"
        )
        if self.kappa is None or self.interval is None:
            text += "; Cohen's kappa is not defined"
        else:
            name = f"{self.weights}ally weighted kappa" if self.weights == "quadratic" else "kappa"
            bounds = f"{self.interval.low:.2f} to {self.interval.high:.2f}"
            text += f"; Cohen's {name} {self.kappa:.2f} ({percent_text(self.interval.confidence, 2)} interval {bounds})"
        return text + (f"; {self.ungraded} more have no grade of the judge." if self.ungraded else ".")


def judge_agreement(scores: Scores, labels: Mapping[int, float], version: str | None = None) -> Agreement:
    """The judge's grades of a version, or of all versions together, beside the people's: ``{line number: grade}``.

    A label says what people think of a version's own output; labels of the data are the same for all versions only when
    their outputs are. A line that failed was not judged, and a label that is NaN says nothing.
    """
    versions = tuple(scores.values) if version is None else (version,)
    pairs = [pair for each in versions for pair in _pairs(scores, each, labels)]
    people, judge = [label for label, _ in pairs], [value for _, value in pairs]
    return agreement_of(scores.metric, people, judge, dataset=scores.dataset, versions=versions)


def agreement_of(
    metric: Metric,
    people: Sequence[float],
    judge: Sequence[float],
    *,
    dataset: str = "",
    versions: Sequence[str] = (),
) -> Agreement:
    """The agreement of two grades for each line; NaN of the judge is no grade, and people's are numbers."""
    graded = [pair for pair in zip(people, judge, strict=True) if not math.isnan(pair[1])]
    truth, given = [label for label, _ in graded], [value for _, value in graded]
    agreed = sum(label == value for label, value in graded) / len(graded) if graded else math.nan
    found = Agreement(metric, dataset, tuple(versions), len(graded), len(people) - len(graded), agreed, None, None)
    grades = _grades(metric, {*truth, *given})
    if not graded or len(grades) > _MOST_GRADES:
        return found
    weights: Weights | None = "quadratic" if len(grades) > 2 else None
    kappa = cohen_kappa(truth, given, weights, grades, _CONFIDENCE)
    known = not math.isnan(kappa.kappa)
    method = "Fleiss-Cohen-Everitt" + (", quadratic weights" if weights else "")
    return replace(
        found,
        kappa=kappa.kappa if known else None,
        interval=Interval(kappa.interval.low, kappa.interval.high, _CONFIDENCE, method) if known else None,
        weights=weights,
        matrix=confusion_matrix(truth, given, grades, _CONFIDENCE),
    )


def corrected_estimate(
    estimate: Estimate,
    scores: Scores,
    labels: Mapping[int, float],
    lines: Collection[int] | None = None,
    *,
    labelled: str | None = None,
    clusters: Mapping[int, Hashable] | None = None,
) -> Estimate:
    """The estimate with the judge's error taken out of its value and into its interval.

    ``labels`` are people's grades of the outputs of the version ``labelled`` (None: of the estimate's own) on some
    lines, which have to be a random choice; ``lines`` are those of the estimate's slice. Failed lines keep the value
    that the metric's rule gives them. Another version's estimate is moved by as much as the labelled one's, so that the
    difference of the two stays what the judge's grades say line by line. Without two labelled lines in a slice the
    shift is that of the whole dataset; without two at all the estimate comes back as it is. ``clusters`` has the
    cluster of each line where lines belong together: then every interval is one of clusters.
    """
    version, confidence = labelled or estimate.version, _confidence(estimate)
    found = _graded(estimate, scores, version, labels, lines, clusters)
    if found is not None and version == estimate.version:
        return found.corrected
    if estimate.failed_lines >= estimate.lines:
        return estimate  # nothing of it was judged
    if found is not None:
        rows, others = (dict(_values(scores, each)) for each in (estimate.version, version))
        common = [number for number in rows.keys() & others.keys() if lines is None or number in lines]
        numbers = sorted(common)
        pairs = [(rows[number], others[number]) for number in numbers]
        return _shifted(estimate, found, _Beside(pairs, _clusters_of(numbers, clusters)), confidence)
    whole = _graded(estimate, scores, version, labels, None, clusters)
    if whole is None:
        return estimate
    judged = [row for row in _labelled(scores, version, labels) if not math.isnan(row[2])]
    people = [(label, value) for _, label, value in judged]
    beside = _Beside(people, _clusters_of([number for number, _, _ in judged], clusters))
    return _moved(estimate, whole.shift, beside, confidence)


@dataclass(frozen=True, slots=True)
class _Beside:
    """Two values of each line, and the cluster of each where lines belong together."""

    pairs: Sequence[tuple[float, float]]
    clusters: Sequence[Hashable] | None = None


def _clusters_of(numbers: Sequence[int], clusters: Mapping[int, Hashable] | None) -> list[Hashable] | None:
    """The cluster of each line; a line without one is a cluster of its own."""
    return None if clusters is None else [clusters.get(number) or number for number in numbers]


@dataclass(frozen=True, slots=True)
class _Graded:
    """The estimate of the version whose outputs people graded, and how far their grades moved it."""

    corrected: Estimate
    shift: float


def _graded(
    estimate: Estimate,
    scores: Scores,
    version: str,
    labels: Mapping[int, float],
    lines: Collection[int] | None,
    clusters: Mapping[int, Hashable] | None,
) -> _Graded | None:
    """The version's mean with the judge's error taken out; None without two labelled lines."""
    confidence = _confidence(estimate)
    failed = scores.failed.get(version, frozenset())
    rows = [row for row in _values(scores, version) if lines is None or row[0] in lines]
    judged = [(number, value) for number, value in rows if number not in failed]
    asked = [labels.get(number, math.nan) for number, _ in judged]
    if sum(not math.isnan(label) for label in asked) < _FEWEST_LABELS:
        return None
    values = [value for _, value in judged]
    lost = [(number, value) for number, value in rows if number in failed]
    if clusters is not None:
        of_lines, of_lost = (_clusters_of([number for number, _ in each], clusters) or [] for each in (judged, lost))
        known = [(value, cluster) for (_, value), cluster in zip(lost, of_lost, strict=True)]
        mean = judged_mean_of_clusters(values, asked, of_lines, known=known, confidence=confidence)
        bounds = mean.interval
        corrected = _replaced(estimate, mean.value, bounds.low, bounds.high, "prediction-powered (PPI++), of clusters")
        return _Graded(corrected, corrected.value - math.fsum(value for _, value in rows) / len(rows))
    is_binary = _are_binary([*values, *(label for label in asked if not math.isnan(label))])
    mean = (judged_share if is_binary else judged_mean)(values, asked, confidence)
    method = "double sampling with labels of people" if is_binary else "prediction-powered (PPI++)"
    value, low, high = _with_failed(mean, [value for _, value in lost], confidence)
    corrected = _replaced(estimate, value, low, high, method)
    return _Graded(corrected, corrected.value - math.fsum(value for _, value in rows) / len(rows))


def _confidence(estimate: Estimate) -> float:
    return estimate.interval.confidence if estimate.interval else _CONFIDENCE


def _are_binary(values: Sequence[float]) -> bool:
    return set(values) <= {0.0, 1.0}


def _shifted(estimate: Estimate, graded: _Graded, versions: _Beside, confidence: float) -> Estimate:
    """The estimate beside that of the graded version: its interval is joined with that of the difference (MOVER)."""
    base = graded.corrected
    if len(versions.pairs) < _FEWEST_LABELS or base.interval is None:
        return estimate
    difference, low, high = _shift(versions, confidence)
    value = estimate.value + graded.shift
    below = math.hypot(base.value - base.interval.low, difference - low)
    above = math.hypot(base.interval.high - base.value, high - difference)
    method = f"moved as the labelled version, {base.interval.method}, joined with the paired difference"
    return _replaced(estimate, value, value - below, value + above, method)


def _moved(estimate: Estimate, shift: float, graded: _Beside, confidence: float) -> Estimate:
    """A slice's estimate moved by the shift of the whole; its interval is joined with the judge's error (MOVER)."""
    if estimate.interval is None:
        return estimate
    error, low, high = _shift(graded, confidence)
    value = estimate.value + shift
    below = math.hypot(estimate.value - estimate.interval.low, error - low)
    above = math.hypot(estimate.interval.high - estimate.value, high - error)
    method = f"{estimate.interval.method}, moved by the judge's error on labelled lines"
    return _replaced(estimate, value, value - below, value + above, method)


def _shift(beside: _Beside, confidence: float) -> tuple[float, float, float]:
    """The first mean minus the second on the same lines, such as people's minus the judge's, and its interval."""
    graded = beside.pairs
    differences = [label - value for label, value in graded]
    shift = math.fsum(differences) / len(differences)
    if beside.clusters is not None:
        bounds = mean_of_clusters(differences, beside.clusters, confidence)
        return shift, bounds.low, bounds.high
    if _are_binary([each for pair in graded for each in pair]):
        both, people, judge, neither = (graded.count(pair) for pair in ((1, 1), (1, 0), (0, 1), (0, 0)))
        bounds = newcombe_paired_interval(both, people, judge, neither, confidence)
        return shift, bounds.low, bounds.high
    variance = math.fsum((each - shift) ** 2 for each in differences) / (len(differences) - 1)
    half = student_t_quantile((1 + confidence) / 2, len(differences) - 1) * math.sqrt(variance / len(differences))
    return shift, shift - half, shift + half


def _replaced(estimate: Estimate, value: float, low: float, high: float, method: str) -> Estimate:
    bounds = _within(estimate.metric, low), _within(estimate.metric, high)
    interval = Interval(*bounds, _confidence(estimate), method)
    return replace(estimate, value=_within(estimate.metric, value), interval=interval)


def _with_failed(mean: JudgedMean, failed: Sequence[float], confidence: float) -> tuple[float, float, float]:
    """Value and interval over judged and failed lines; that their shares could be others widens it."""
    if not failed:
        return mean.value, mean.interval.low, mean.interval.high
    whole = mean.lines + len(failed)
    share, bounds = len(failed) / whole, wilson_interval(len(failed), whole, confidence)
    gain = math.fsum(failed) / len(failed) - mean.value
    value = mean.value + share * gain
    fewer, more = gain * (bounds.low - share), gain * (bounds.high - share)
    below = math.hypot((1 - share) * (mean.value - mean.interval.low), min(fewer, more))
    above = math.hypot((1 - share) * (mean.interval.high - mean.value), max(fewer, more))
    return value, value - below, value + above


def _within(metric: Metric, value: float) -> float:
    value = value if metric.low is None else max(metric.low, value)
    return value if metric.high is None else min(metric.high, value)


def _pairs(scores: Scores, version: str, labels: Mapping[int, float]) -> Iterator[tuple[float, float]]:
    """``(people's, the judge's)`` of each line that people graded; the judge's may be NaN."""
    return ((label, value) for _, label, value in _labelled(scores, version, labels))


def _labelled(scores: Scores, version: str, labels: Mapping[int, float]) -> Iterator[tuple[int, float, float]]:
    """The same with the line's number."""
    failed = scores.failed.get(version, frozenset())
    for number, value in zip(scores.lines, scores.values[version], strict=True):
        label = labels.get(number, math.nan)
        if not math.isnan(label):
            yield number, label, (math.nan if number in failed else value)


def _values(scores: Scores, version: str) -> Iterator[tuple[int, float]]:
    rows = zip(scores.lines, scores.values[version], strict=True)
    return ((number, value) for number, value in rows if not math.isnan(value))


def _grades(metric: Metric, seen: set[float]) -> list[float]:
    """The grades there are, in order: all steps of the scale where they can be told, because weights count steps."""
    step = next((step for step in (1.0, 0.5) if all((grade / step).is_integer() for grade in seen)), None)
    if step is None or not seen:
        return sorted(seen)
    low = min(seen) if metric.low is None else min(metric.low, *seen)
    high = max(seen) if metric.high is None else max(metric.high, *seen)
    if not all((end / step).is_integer() for end in (low, high)) or (high - low) / step >= _MOST_GRADES:
        return sorted(seen)
    return [low + step * place for place in range(round((high - low) / step) + 1)]
