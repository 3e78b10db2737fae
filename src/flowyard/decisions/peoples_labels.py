"""People's labels in the data: agreement with what was measured, and its error carried into the estimates."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping
from dataclasses import dataclass, field

from flowyard.decisions.agreement import corrected_estimate, judge_agreement
from flowyard.decisions.data_columns import DataColumns
from flowyard.decisions.label_values import label_numbers
from flowyard.decisions.measured import Measured
from flowyard.decisions.model import Estimate, Scores
from flowyard.decisions.policy import DecisionPolicy
from flowyard.errors import UserError

__all__ = ["PeoplesLabels", "read_labels"]


@dataclass(frozen=True, slots=True)
class PeoplesLabels:
    """``labels[metric name, dataset]`` are grades by line number, of ``version``'s outputs (None: of each one's)."""

    version: str | None = None
    labels: Mapping[tuple[str, str], Mapping[int, float]] = field(default_factory=dict)
    sentences: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    def corrected(
        self,
        estimate: Estimate,
        scores: Scores,
        lines: Collection[int] | None,
        clusters: Mapping[int, Hashable] | None = None,
    ) -> Estimate:
        """The estimate with the error of its judge in it, as far as people graded lines."""
        labels = self.labels.get((estimate.metric.name, estimate.dataset))
        if not labels:
            return estimate
        labelled = self.version if self.version in scores.values else None
        return corrected_estimate(estimate, scores, labels, lines, labelled=labelled, clusters=clusters)


def read_labels(policy: DecisionPolicy, measured: Measured, columns: DataColumns, version: str | None) -> PeoplesLabels:
    """The labels that the block ``metrics`` names, taken to be of the version's outputs. What is wrong is a warning."""
    found: dict[tuple[str, str], Mapping[int, float]] = {}
    sentences: list[str] = []
    warnings: list[str] = []
    for name, rule in policy.metrics.items():
        metric = measured.metric(name) if rule.labels else None
        for scores in measured.scores:
            if metric is None or rule.labels is None or scores.metric.name != metric.name:
                continue
            values = columns.values.get(scores.dataset, {}).get(rule.labels)
            if values is None:
                warnings.append(f"The data of {scores.dataset} has no column {rule.labels!r} with people's labels.")
                continue
            try:
                labels = label_numbers(values, equals=rule.equals, column=rule.labels)
            except UserError as error:
                warnings.append(f"People's labels of {name} are left out: {error}")
                continue
            found[metric.name, scores.dataset] = labels
            one = version if version in scores.values else None
            sentences.append(judge_agreement(scores, labels, one).sentence)
    return PeoplesLabels(version, found, tuple(sentences), tuple(warnings))
