"""How large each metric of each version is, on a dataset or on a slice of it, and how sure that is."""

from __future__ import annotations

import math
from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from math import isnan

from flowyard.decisions.data_columns import DataColumns
from flowyard.decisions.measured import Measured
from flowyard.decisions.methods import Compared, compare_pairs, interval_of_mean, interval_of_percentile
from flowyard.decisions.model import Estimate, Metric, Scores
from flowyard.decisions.peoples_labels import PeoplesLabels
from flowyard.decisions.policy import DecisionPolicy
from flowyard.decisions.run_metrics import PERCENTILES
from flowyard.decisions.versions import Versions
from flowyard.statistics.percentiles import percentile

__all__ = ["Estimator", "Pairs"]

_SUMS: Mapping[str, str] = {
    "cost_usd": "cost_usd_per_line",
    "tokens": "tokens_per_line",
    "failed_lines": "error_rate",
}
"""Totals that are the sum of another metric's lines, so that a slice has one, too."""


@dataclass(frozen=True, slots=True)
class Pairs:
    """Two versions' values on the lines that both have, with the cluster of each line where there are clusters."""

    first: Sequence[float]
    second: Sequence[float]
    clusters: Sequence[Hashable] | None = None


@dataclass(frozen=True, slots=True)
class Estimator:
    """Answers questions about what was measured; the same question has the same answer."""

    measured: Measured
    versions: Versions
    columns: DataColumns
    policy: DecisionPolicy
    confidence: float = 0.95
    people: PeoplesLabels = PeoplesLabels()
    _known: dict[tuple[object, ...], Estimate | None] = field(default_factory=dict)

    def estimate(
        self,
        metric: Metric,
        version: str,
        dataset: str,
        *,
        slice_: Mapping[str, str] | None = None,
        lines: Collection[int] | None = None,
        confidence: float | None = None,
    ) -> Estimate | None:
        """The metric over a dataset, or over some lines of it, the ``slice_``; None when it was not measured."""
        level = confidence or self.confidence
        key = (metric.name, version, dataset, tuple(sorted((slice_ or {}).items())), level)
        if key not in self._known:
            self._known[key] = self._estimate(metric, version, dataset, slice_ or {}, lines, level)
        return self._known[key]

    def _estimate(
        self,
        metric: Metric,
        version: str,
        dataset: str,
        slice_: Mapping[str, str],
        lines: Collection[int] | None,
        confidence: float,
    ) -> Estimate | None:
        if metric.kind == "total":
            return self._total(metric, version, dataset, slice_, lines, confidence)
        scores = self.measured.scores_of(metric, dataset)
        if scores is None or version not in scores.values:
            return None
        numbers, values = _known_lines(scores, version, lines)
        if not values:
            return None
        interval = interval_of_mean(
            values,
            metric.kind,
            confidence=confidence,
            seed=self.policy.seed,
            clusters=self._clusters(dataset, numbers),
        )
        failed = sum(number in scores.failed.get(version, ()) for number in numbers)
        value = math.fsum(values) / len(values)
        found = Estimate(metric, version, dataset, value, len(values), failed, interval, dict(slice_))
        return self.people.corrected(found, scores, lines, self._clusters_by_line(dataset))

    def _total(
        self,
        metric: Metric,
        version: str,
        dataset: str,
        slice_: Mapping[str, str],
        lines: Collection[int] | None,
        confidence: float,
    ) -> Estimate | None:
        base = self.measured.base.get((dataset, version))
        if base is None:
            return None
        inside = [lines is None or number in lines for number in base.numbers]
        failed = sum(bool(failed) and here for failed, here in zip(base.failed, inside, strict=True))
        if metric.name in PERCENTILES:
            times = zip(base.duration_ms, base.failed, inside, strict=True)
            values = [value for value, failing, here in times if here and not failing]
            if not values:
                return None
            share = PERCENTILES[metric.name]
            interval = interval_of_percentile(values, share, confidence)
            found = percentile(values, 100 * share)
            return Estimate(metric, version, dataset, found, len(values), 0, interval, dict(slice_))
        total = self.measured.totals.get((metric.name, version, dataset))
        if lines is not None:
            total = self._sum(metric, version, dataset, lines)
        if total is None:
            return None
        return Estimate(metric, version, dataset, total, sum(inside), failed, None, dict(slice_))

    def _sum(self, metric: Metric, version: str, dataset: str, lines: Collection[int]) -> float | None:
        by_line = self.measured.metric(_SUMS.get(metric.name, ""))
        scores = self.measured.scores_of(by_line, dataset) if by_line else None
        if scores is None or version not in scores.values:
            return None
        return math.fsum(_known_lines(scores, version, lines)[1])

    def pairs(
        self, metric: Metric, version: str, baseline: str, dataset: str, lines: Collection[int] | None = None
    ) -> Pairs | None:
        """Both versions' values, line by line; None when either was not measured on the dataset."""
        scores = self.measured.scores_of(metric, dataset) if metric.kind != "total" else None
        if scores is None or version not in scores.values or baseline not in scores.values:
            return None
        rows = zip(scores.lines, scores.values[version], scores.values[baseline], strict=True)
        found = [
            (number, a, b)
            for number, a, b in rows
            if not isnan(a) and not isnan(b) and (lines is None or number in lines)
        ]
        numbers = [number for number, _, _ in found]
        return Pairs([a for _, a, _ in found], [b for _, _, b in found], self._clusters(dataset, numbers))

    def compared(self, metric: Metric, pairs: Pairs) -> Compared:
        """The first version of the pairs minus the second."""
        return compare_pairs(
            pairs.first,
            pairs.second,
            metric.kind,
            higher_is_better=metric.higher_is_better,
            confidence=self.confidence,
            seed=self.policy.seed,
            clusters=pairs.clusters,
        )

    def lacks_clusters(self, dataset: str) -> bool:
        """Whether lines belong together, and nobody knows which: the data has no such column, or cannot be read."""
        return self.policy.cluster is not None and not self.columns.values.get(dataset, {}).get(self.policy.cluster)

    def _clusters(self, dataset: str, numbers: Sequence[int]) -> list[Hashable] | None:
        """The cluster of each line; a line without one is a cluster of its own."""
        values = self._clusters_by_line(dataset)
        return None if values is None else [values.get(number) or number for number in numbers]

    def _clusters_by_line(self, dataset: str) -> Mapping[int, Hashable] | None:
        """None where lines do not belong together, or nobody knows which do."""
        return self.columns.values.get(dataset, {}).get(self.policy.cluster or "") or None


def _known_lines(scores: Scores, version: str, lines: Collection[int] | None) -> tuple[list[int], list[float]]:
    """The lines that have a value, and the values."""
    rows = zip(scores.lines, scores.values[version], strict=True)
    found = [(number, value) for number, value in rows if not isnan(value) and (lines is None or number in lines)]
    return [number for number, _ in found], [value for _, value in found]
