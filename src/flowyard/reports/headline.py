"""What the report says first: who leads on what, with everything that makes the comparison less fair."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from flowyard.decisions.model import Difference, Estimate, Evidence
from flowyard.reports.leaderboard import main_metrics, metrics_in_order
from flowyard.reports.table import DatasetTable, Summary, lower_is_better
from flowyard.reports.values import is_ranked, metric_text, plural

__all__ = ["Finding", "Headline", "cautions", "findings", "headlines"]


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
    """What was found of one version. ``better`` and ``worse`` are certain enough, ``unclear`` is not.

    A difference without ``p_value`` was not tested, because the metric is one number for the whole run.
    """

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
    names = list(dict.fromkeys(each.metric.name for each in known))
    tested = {each.metric.name for each in known if each.p_value is not None}
    gated = {gate.metric for gate in evidence.gates}
    names = [name for name in names if name in tested & gated] or [name for name in names if name in tested] or names
    names = names[:2]
    return tuple(
        Finding(
            each,
            estimates.get((each.metric.name, each.dataset, each.version)),
            estimates.get((each.metric.name, each.dataset, each.baseline)),
        )
        for each in known
        if each.metric.name in names
    )[:most]


def headlines(summary: Summary) -> tuple[Headline, ...]:
    """One headline for each dataset and main metric that at least two variants can be compared on."""
    metrics = main_metrics(summary)
    found = (_headline(table, metric) for table in summary.datasets for metric in metrics)
    return tuple(headline for headline in found if headline is not None)


def cautions(summary: Summary, evidence: Evidence | None) -> tuple[str, ...]:
    """What a reader must know before trusting the comparison, in full sentences."""
    return tuple(text for table in summary.datasets for text in _cautions(table, _failed_lines(table, evidence)))


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


def _failed_lines(table: DatasetTable, evidence: Evidence | None) -> str:
    """How lines that fail count, in the words of the rule that each metric was measured by."""
    estimates = [each for each in evidence.estimates if each.dataset == table.name] if evidence else []
    whole = [each for each in estimates if each.metric.evaluator is not None and not each.slice]
    names = list(dict.fromkeys(each.metric.name for each in whole))
    counted = {each.metric.name for each in whole if each.metric.kind != "total" and each.failed_lines}
    missing = [name for name in names if name not in counted]
    if not counted:
        return "Lines that fail are missing from the metrics."
    said = f"Lines that fail count in {_listed([name for name in names if name in counted])} by the metric's rule"
    return f"{said}; they are missing from {_listed(missing)}." if missing else f"{said}."


def _listed(names: Sequence[str], most: int = 3) -> str:
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {plural(more, 'more metric')}" if more > 0 else "")


def _cautions(table: DatasetTable, failed_lines: str) -> Iterator[str]:
    scored = [(row, row.evaluated) for row in table.rows]
    partial = [(row, use) for row, use in scored if use is not None and use.completed < use.total]
    if partial:
        parts = ", ".join(
            f"{row.label} by {use.evaluator} on {use.completed:,} of {use.total:,}" for row, use in partial[:3]
        )
        parts += f" and {len(partial) - 3} more variants" if len(partial) > 3 else ""
        yield f"{table.name}: not every line was scored ({parts}). {failed_lines}"
    for row in table.rows:
        if row.run.status != "completed":
            yield f"{table.name}: the run of {row.label} is {row.run.status}, so its numbers are not final."
        for use in row.evaluations:
            if use.run.status != "completed":
                yield f"{table.name}: the evaluation {use.evaluator} of {row.label} is {use.run.status}."
        for source, run in [("the flow", row.run), *((use.evaluator, use.run) for use in row.evaluations)]:
            for error in run.errors:
                yield f"{table.name}: {source} of {row.label} failed outside lines: {error.type}: {error.message}"
