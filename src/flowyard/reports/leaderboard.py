"""Versions ranked: each metric with its interval, and the difference to the baseline where it was tested."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flowyard.decisions.model import Difference, Estimate, Evidence, Interval
from flowyard.reports.headline import main_metrics
from flowyard.reports.table import DatasetTable, Summary, VariantRow, lower_is_better
from flowyard.reports.values import is_ranked, metric_text

__all__ = ["Leaderboard", "Score", "Standing", "change_text", "leaderboards", "range_text", "winner_text"]

_OWN_COLUMN = ("latency_", "cost", "tokens", "total_tokens", "error_rate", "failed_lines", "duration")
"""How metrics of the run itself begin, which tables show in columns of their own."""


@dataclass(frozen=True, slots=True)
class Score:
    """A metric of one version. ``best`` when no other version of the dataset has a better value."""

    value: Any
    interval: Interval | None = None
    difference: Difference | None = None
    best: bool = False


@dataclass(frozen=True, slots=True)
class Standing:
    """One version with its scores by metric."""

    row: VariantRow
    scores: Mapping[str, Score]
    is_baseline: bool = False


@dataclass(frozen=True, slots=True)
class Leaderboard:
    """One dataset's versions, the best of the first metric first; ``metrics`` has the main ones first."""

    dataset: str
    metrics: tuple[str, ...]
    standings: tuple[Standing, ...]


def leaderboards(summary: Summary, evidence: Evidence | None) -> tuple[Leaderboard, ...]:
    """One for each dataset."""
    found = _Found(summary, evidence)
    return tuple(_leaderboard(table, found) for table in summary.datasets)


def range_text(interval: Interval | None) -> str:
    """``0.871 – 0.942``; empty without an interval."""
    return "" if interval is None else f"{metric_text(interval.low)} – {metric_text(interval.high)}"


def change_text(difference: Difference) -> str:
    """``+0.031 (0.004 – 0.058)``, the difference with its interval."""
    value = metric_text(difference.value)
    signed = f"+{value}" if is_ranked(difference.value) and difference.value > 0 else value
    return f"{signed} ({range_text(difference.interval)})" if difference.interval else signed


def winner_text(difference: Difference) -> str:
    """``▲ better``: a word, and a sign that does not need colour."""
    return {"better": "▲ better", "worse": "▼ worse", "unclear": "≈ unclear"}[difference.winner]


class _Found:
    """What is known of each version, by dataset, version and metric as the tables name them."""

    def __init__(self, summary: Summary, evidence: Evidence | None) -> None:
        self.evidence = evidence
        self.estimates: dict[tuple[str, str, str], Estimate] = {}
        self.differences: dict[tuple[str, str, str], Difference] = {}
        self.higher: dict[str, bool] = {}
        if evidence is not None:
            whole = (each for each in evidence.estimates if not each.slice)
            self.estimates = {(each.dataset, each.version, each.metric.name): each for each in whole}
            tested = (each for each in evidence.differences if not each.slice)
            self.differences = {(each.dataset, each.version, each.metric.name): each for each in tested}
            self.higher = {metric.name: metric.higher_is_better for metric in evidence.metrics}
        self.metrics = tuple(_metric_names(summary, evidence))

    def score(self, row: VariantRow, metric: str) -> Score:
        for version in (row.label, row.run.name):
            place = (row.dataset, version, metric)
            if estimate := self.estimates.get(place):
                return Score(estimate.value, estimate.interval, self.differences.get(place))
        return Score(row.metrics.get(metric))

    def is_lower_better(self, metric: str) -> bool:
        return not self.higher[metric] if metric in self.higher else lower_is_better(metric)

    def is_baseline(self, row: VariantRow) -> bool:
        return self.evidence is not None and self.evidence.baseline in (row.label, row.run.name)


def _metric_names(summary: Summary, evidence: Evidence | None) -> Iterator[str]:
    """Measured metrics first, then those that only have a number of the run; not those with a column of their own.

    These are all there is where nothing else was measured.
    """
    measured = [] if evidence is None else list(evidence.metrics)
    own = {metric.name for metric in measured if metric.evaluator is None and metric.name.startswith(_OWN_COLUMN)}
    known = {name for metric in measured for name in (metric.name, f"{metric.evaluator}.{metric.name}")}
    main = main_metrics(summary, most=len(summary.metrics))
    names = [*(metric.name for metric in measured), *(name for name in main if name not in known)]
    names += [name for name in summary.metrics if name not in known and name not in main]
    yield from [name for name in names if name not in own] or names


def _leaderboard(table: DatasetTable, found: _Found) -> Leaderboard:
    rows = [{name: found.score(row, name) for name in found.metrics} for row in table.rows]
    metrics = tuple(name for name in found.metrics if any(scores[name].value is not None for scores in rows))
    for name in metrics:
        _mark_best(rows, name, lower=found.is_lower_better(name))
    standings = [
        Standing(row, {name: scores[name] for name in metrics}, found.is_baseline(row))
        for row, scores in zip(table.rows, rows, strict=True)
    ]
    return Leaderboard(table.name, metrics, tuple(_ranked(standings, metrics, found)))


def _mark_best(rows: Sequence[dict[str, Score]], name: str, *, lower: bool) -> None:
    values = [scores[name].value for scores in rows if is_ranked(scores[name].value)]
    if len(values) < 2:
        return  # there is nothing to be better than
    top = min(values) if lower else max(values)
    for scores in rows:
        score = scores[name]
        if is_ranked(score.value) and score.value == top:
            scores[name] = Score(score.value, score.interval, score.difference, best=True)


def _ranked(standings: list[Standing], metrics: tuple[str, ...], found: _Found) -> list[Standing]:
    """The best of the first metric first; versions without a number keep their order at the end."""
    main = next((name for name in metrics if any(is_ranked(each.scores[name].value) for each in standings)), None)
    if main is None:
        return standings
    sign = 1 if found.is_lower_better(main) else -1

    def place(standing: Standing) -> tuple[bool, float]:
        value = standing.scores[main].value
        return (not is_ranked(value), sign * value if is_ranked(value) else 0)

    return sorted(standings, key=place)
