"""The numbers of the runs compared, computed once; every format prints these and computes none of its own."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from flowyard.decisions.direction import lower_is_better
from flowyard.flows.labels import selection_label
from flowyard.records import Comparison, LineCounts, RunRecord, Usage
from flowyard.reports.values import is_ranked
from flowyard.runs.cost_text import unpriced_text, usd_text
from flowyard.runs.results import read_lines
from flowyard.statistics.percentiles import percentile

__all__ = [
    "DatasetTable",
    "EvaluationUse",
    "Latency",
    "Summary",
    "VariantRow",
    "lower_is_better",
    "summarize",
]

LATENCY_P50, LATENCY_P95 = "latency_p50_ms", "latency_p95_ms"


@dataclass(frozen=True, slots=True)
class Latency:
    """How long completed lines took, in milliseconds. Failed lines are left out: failing fast is not being fast."""

    lines: int
    mean_ms: float
    p5_ms: float
    p25_ms: float
    p50_ms: float
    p75_ms: float
    p95_ms: float


@dataclass(frozen=True, slots=True)
class EvaluationUse:
    """One evaluator's run over one variant. ``completed`` of ``total`` lines of the variant's run were scored."""

    evaluator: str
    run: RunRecord
    completed: int
    total: int

    @property
    def coverage(self) -> float | None:
        """The share of lines behind the metrics, 0 to 1; None when the run has no lines."""
        return self.completed / self.total if self.total else None


@dataclass(frozen=True, slots=True)
class VariantRow:
    """One standard run. ``metrics`` is ``{evaluator.metric: value}``; ``best`` names what is best in its dataset."""

    run: RunRecord
    dataset: str
    label: str
    variants: Mapping[str, str]
    metrics: Mapping[str, Any]
    evaluations: tuple[EvaluationUse, ...]
    latency: Latency | None
    best: frozenset[str] = frozenset()

    @property
    def lines(self) -> LineCounts:
        return self.run.lines

    @property
    def not_run(self) -> int:
        """Lines that neither completed nor failed, because the run was stopped."""
        return max(0, self.lines.total - self.lines.completed - self.lines.failed)

    @property
    def usage(self) -> Usage:
        return self.run.usage

    @property
    def simulated(self) -> bool:
        return self.run.simulated

    @property
    def evaluated(self) -> EvaluationUse | None:
        """The evaluation that scored the fewest lines; None when there is none."""
        return min(self.evaluations, key=lambda use: use.completed, default=None)

    def ranked_values(self) -> dict[str, float]:
        """What is compared between variants: the numeric metrics and the latencies."""
        values = {name: value for name, value in self.metrics.items() if is_ranked(value)}
        if self.latency is not None:
            values |= {LATENCY_P50: self.latency.p50_ms, LATENCY_P95: self.latency.p95_ms}
        return values


@dataclass(frozen=True, slots=True)
class DatasetTable:
    """The variants that ran over one dataset, in the order of the experiment."""

    name: str
    rows: tuple[VariantRow, ...]


@dataclass(frozen=True, slots=True)
class Summary:
    """A comparison in numbers. ``metrics`` and ``nodes`` list every name, in order of appearance."""

    datasets: tuple[DatasetTable, ...]
    metrics: tuple[str, ...]
    nodes: tuple[str, ...]
    usage: Usage

    @property
    def rows(self) -> tuple[VariantRow, ...]:
        return tuple(row for table in self.datasets for row in table.rows)

    @property
    def labels(self) -> tuple[str, ...]:
        """The distinct variant labels; the position of one is its colour in every chart."""
        return tuple(dict.fromkeys(row.label for row in self.rows))

    @property
    def ranked_metrics(self) -> tuple[str, ...]:
        """The metrics that are a number in at least one row."""
        return tuple(name for name in self.metrics if any(is_ranked(row.metrics.get(name)) for row in self.rows))

    @property
    def has_costs(self) -> bool:
        """Whether any call cost money, so that it is worth a column."""
        return any(row.usage.cost_usd for row in self.rows)

    @property
    def cost_note(self) -> str | None:
        """What all runs cost together, evaluations included, in one sentence; None when nothing is known of it."""
        missing = unpriced_text(self.usage)
        if not self.usage.cost_usd:
            return f"Cost: {missing}." if missing else None
        saved = f", {usd_text(self.usage.saved_usd)} saved" if self.usage.saved_usd else ""
        return f"Cost: {usd_text(self.usage.cost_usd)} with evaluations{saved}{f', {missing}' if missing else ''}."

    @property
    def simulated_note(self) -> str | None:
        """One sentence when a simulated model answered, else None."""
        some, calls = self.usage.simulated_calls, self.usage.calls + self.usage.cached_calls
        if not some:
            return None
        which = "every model call was" if some >= calls else f"{some:,} of {calls:,} model calls were"
        return f"Simulated model: {which} answered by a simulator, so these numbers say nothing about quality."


def summarize(comparison: Comparison) -> Summary:
    """Compute the numbers of some runs. Reads the lines of each that is no evaluation, keeping one float a line."""
    rows = [_row(run, comparison) for run in comparison.runs if run.name not in comparison.evaluations]
    groups: dict[str, list[VariantRow]] = {}
    for row in _with_distinct_labels(rows):
        groups.setdefault(row.dataset, []).append(row)
    tables = tuple(DatasetTable(name, _with_best(group)) for name, group in groups.items())
    return Summary(
        datasets=tables,
        metrics=_names(row.metrics for row in rows),
        nodes=_names(row.variants for row in rows),
        usage=sum((run.usage for run in comparison.runs), Usage()),
    )


def _row(run: RunRecord, comparison: Comparison) -> VariantRow:
    variants = comparison.variants.get(run.name, {})
    uses = tuple(_uses(run, comparison))
    metrics = dict(run.metrics)
    for use in uses:
        metrics |= {f"{use.evaluator}.{name}": value for name, value in use.run.metrics.items()}
    label = comparison.labels.get(run.name) or selection_label(variants, {})
    return VariantRow(run, _dataset(run, comparison), label, dict(variants), metrics, uses, _latency(run))


def _uses(run: RunRecord, comparison: Comparison) -> Iterable[EvaluationUse]:
    for evaluation in comparison.runs:
        evaluator, evaluated = comparison.evaluations.get(evaluation.name, ("", ""))
        if evaluated == run.name:
            yield EvaluationUse(evaluator, evaluation, evaluation.lines.completed, run.lines.total)


def _dataset(run: RunRecord, comparison: Comparison) -> str:
    named = comparison.datasets.get(run.name) or run.dataset
    return named or (Path(run.data).stem if run.data else "data")


def _latency(run: RunRecord) -> Latency | None:
    values = array("d", (line.duration_s * 1000 for line in read_lines(run) if line.status == "completed"))
    ascending = sorted(value for value in values if math.isfinite(value))
    if not ascending:
        return None
    points = (percentile(ascending, percent) for percent in (5, 25, 50, 75, 95))
    return Latency(len(ascending), math.fsum(ascending) / len(ascending), *points)


def _with_distinct_labels(rows: list[VariantRow]) -> Iterable[VariantRow]:
    seen: set[tuple[str, str]] = set()
    for row in rows:
        named = row if (row.dataset, row.label) not in seen else replace(row, label=f"{row.label} ({row.run.name})")
        seen.add((row.dataset, row.label))
        yield named


def _with_best(rows: list[VariantRow]) -> tuple[VariantRow, ...]:
    """Mark the best values; all that tie are best, and nothing is when there is nothing to compare it with."""
    values = [row.ranked_values() for row in rows]
    best: list[set[str]] = [set() for _ in rows]
    for name in _names(values):
        known = {place: row[name] for place, row in enumerate(values) if name in row}
        if len(known) > 1:
            top = min(known.values()) if lower_is_better(name) else max(known.values())
            for place in (place for place, value in known.items() if value == top):
                best[place].add(name)
    return tuple(replace(row, best=frozenset(marks)) for row, marks in zip(rows, best, strict=True))


def _names(mappings: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for mapping in mappings for name in mapping))
