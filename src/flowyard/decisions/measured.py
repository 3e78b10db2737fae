"""What was measured of some versions."""

from __future__ import annotations

from dataclasses import dataclass, field

from flowyard.decisions.columns import RunColumns
from flowyard.decisions.model import Metric, Scores

__all__ = ["Measured"]


@dataclass(slots=True)
class Measured:
    """What was measured: ``scores`` line by line, ``totals`` by (metric, version, dataset) for what has no lines.

    ``base`` has the columns of each version's own run by (dataset, version). ``aliases`` are other names of metrics.
    """

    metrics: list[Metric] = field(default_factory=list)
    scores: list[Scores] = field(default_factory=list)
    totals: dict[tuple[str, str, str], float] = field(default_factory=dict)
    base: dict[tuple[str, str], RunColumns] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)

    def metric(self, name: str) -> Metric | None:
        """The metric of that name, also when it is said with its evaluator."""
        wanted = self.aliases.get(name, name)
        return next((metric for metric in self.metrics if metric.name == wanted), None)

    def scores_of(self, metric: Metric, dataset: str) -> Scores | None:
        """The metric line by line over one dataset; None when it has no lines there."""
        found = (each for each in self.scores if each.metric.name == metric.name and each.dataset == dataset)
        return next(found, None)
