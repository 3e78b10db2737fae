"""What the report says first: who leads on what, with everything that makes the comparison less fair."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from flowyard.decisions.model import Difference, Estimate, Evidence
from flowyard.reports.rankings import metrics_in_order
from flowyard.reports.table import DatasetTable, Summary, lower_is_better
from flowyard.reports.values import is_ranked, metric_text

__all__ = ["Finding", "Headline", "cautions", "findings", "headlines", "main_metrics"]


@dataclass(frozen=True, slots=True)
class Headline:
    """The leaders on one metric of one dataset. ``next_best`` is None when every variant ties."""

    dataset: str
    metric: str
    leaders: tuple[str, ...]
    value: str
    next_best: str | None
    lower: bool


@dataclass(frozen=True, slots=True)
class Finding:
    """What was tested and found of one version. ``better`` and ``worse`` are certain enough, ``unclear`` is not."""

    difference: Difference
    estimate: Estimate | None
    base: Estimate | None


def findings(summary: Summary, evidence: Evidence, *, most: int = 8) -> tuple[Finding, ...]:
    """The differences on the first metrics, in the order of metrics, datasets and versions, up to ``most``."""
    estimates = {(each.metric.name, each.dataset, each.version): each for each in evidence.estimates if not each.slice}
    first = {metric.name: place for place, metric in enumerate(metrics_in_order(evidence))}
    order = {table.name: place for place, table in enumerate(summary.datasets)}
    known = [each for each in evidence.differences if not each.slice and each.dataset in order]
    known.sort(key=lambda each: (first.get(each.metric.name, len(first)), order[each.dataset]))
    tested = list(dict.fromkeys(each.metric.name for each in known))
    gated = {gate.metric for gate in evidence.gates}
    names = ([name for name in tested if name in gated] or tested)[:2]
    return tuple(
        Finding(
            each,
            estimates.get((each.metric.name, each.dataset, each.version)),
            estimates.get((each.metric.name, each.dataset, each.baseline)),
        )
        for each in known
        if each.metric.name in names
    )[:most]


def main_metrics(summary: Summary, *, most: int = 3) -> tuple[str, ...]:
    """The first numeric metric of each evaluator, then the others, up to ``most``."""
    ranked = summary.ranked_metrics
    first = {name.rpartition(".")[0]: name for name in reversed(ranked)}
    order = sorted(ranked, key=lambda name: name not in first.values())
    return tuple(order[:most])


def headlines(summary: Summary) -> tuple[Headline, ...]:
    """One headline for each dataset and main metric that at least two variants can be compared on."""
    metrics = main_metrics(summary)
    found = (_headline(table, metric) for table in summary.datasets for metric in metrics)
    return tuple(headline for headline in found if headline is not None)


def cautions(summary: Summary, *, tested: bool = False) -> tuple[str, ...]:
    """What a reader must know before trusting the comparison, in full sentences.

    Where metrics were ``tested``, failed lines count by the rule of each metric.
    """
    rule = "count by the rule of each metric" if tested else "are missing from the metrics"
    return tuple(text for table in summary.datasets for text in _cautions(table, rule))


def _headline(table: DatasetTable, metric: str) -> Headline | None:
    leaders = [row for row in table.rows if metric in row.best]
    if not leaders:
        return None
    values = [row.metrics.get(metric) for row in table.rows if metric not in row.best]
    others = [value for value in values if value is not None and is_ranked(value)]
    lower = lower_is_better(metric)
    near = (min(others) if lower else max(others)) if others else None
    return Headline(
        dataset=table.name,
        metric=metric,
        leaders=tuple(row.label for row in leaders),
        value=metric_text(leaders[0].metrics[metric]),
        next_best=None if near is None else metric_text(near),
        lower=lower,
    )


def _cautions(table: DatasetTable, rule: str) -> Iterator[str]:
    scored = [(row, row.evaluated) for row in table.rows]
    partial = [(row, use) for row, use in scored if use is not None and use.completed < use.total]
    if partial:
        parts = ", ".join(f"{row.label} on {use.completed:,} of {use.total:,}" for row, use in partial[:3])
        parts += f" and {len(partial) - 3} more variants" if len(partial) > 3 else ""
        yield f"{table.name}: not every line was scored ({parts}). Lines that fail {rule}."
    for row in table.rows:
        if row.run.status != "completed":
            yield f"{table.name}: the run of {row.label} is {row.run.status}, so its numbers are not final."
        for use in row.evaluations:
            if use.run.status != "completed":
                yield f"{table.name}: the evaluation {use.evaluator} of {row.label} is {use.run.status}."
        for source, run in [("the flow", row.run), *((use.evaluator, use.run) for use in row.evaluations)]:
            for error in run.errors:
                yield f"{table.name}: {source} of {row.label} failed outside lines: {error.type}: {error.message}"
