"""Versions ranked: each metric with its interval, and the difference to the baseline where it was tested.

A leaderboard has the versions of one dataset with all metrics, a ranking those with one metric; both have the same
scores, and every report says them in the same words.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from markupsafe import Markup

from flowyard._util.numbers import percent_text
from flowyard.decisions.model import Difference, Estimate, Evidence, Interval, Metric
from flowyard.reports.table import DatasetTable, Summary, VariantRow, lower_is_better
from flowyard.reports.values import count_or_number, is_ranked, metric_text, p_text, signed_text
from flowyard.reports.whiskers import whiskers

__all__ = [
    "Leaderboard",
    "Ranking",
    "Score",
    "Standing",
    "change_text",
    "leaderboards",
    "main_metrics",
    "metrics_in_order",
    "range_text",
    "rankings",
    "tested_text",
    "winner_text",
]

_OWN_COLUMN = ("latency_", "cost", "tokens", "total_tokens", "error_rate", "failed_lines", "duration")
"""How metrics of the run itself begin, which tables show in columns of their own."""


@dataclass(frozen=True, slots=True)
class Score:
    """A metric of one version. ``best`` when no other version of the dataset has a better value and lines were scored.

    ``estimate`` is None where nothing was measured and ``value`` is the number that the flow logged.
    """

    value: Any
    estimate: Estimate | None = None
    difference: Difference | None = None
    best: bool = False

    @property
    def interval(self) -> Interval | None:
        return self.estimate.interval if self.estimate else None

    @property
    def has_only_failed(self) -> bool:
        return self.estimate is not None and self.estimate.has_only_failed


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


@dataclass(frozen=True, slots=True)
class Ranking:
    """One dataset's versions on one metric, the best first; all have an estimate.

    ``drawings`` has value and interval of each. ``agreements`` are sentences on judges and people. ``main`` says
    whether it is shown before a reader asks for it.
    """

    metric: Metric
    dataset: str
    standings: tuple[Standing, ...]
    baseline: str | None
    drawings: tuple[Markup, ...]
    agreements: tuple[str, ...]
    main: bool

    @property
    def scores(self) -> tuple[Score, ...]:
        return tuple(each.scores[self.metric.name] for each in self.standings)

    @property
    def estimates(self) -> tuple[Estimate, ...]:
        return tuple(each.estimate for each in self.scores if each.estimate)

    @property
    def confidence(self) -> str:
        """``95 % interval``, or ``interval`` where versions have different ones."""
        found = {each.interval.confidence for each in self.scores if each.interval}
        return f"{percent_text(found.pop(), 2)} interval" if len(found) == 1 else "interval"

    @property
    def methods(self) -> tuple[str, ...]:
        """How intervals and tests were made, each once."""
        intervals = [each.interval.method for each in self.scores if each.interval]
        tests = [each.difference.method for each in self.scores if each.difference]
        return tuple(dict.fromkeys(name for name in [*intervals, *tests] if name))

    @property
    def has_differences(self) -> bool:
        return any(each.difference for each in self.scores)


def range_text(interval: Interval | None) -> str:
    """``[0.871, 0.942]``; empty without an interval."""
    return "" if interval is None else f"[{metric_text(interval.low)}, {metric_text(interval.high)}]"


def change_text(difference: Difference) -> str:
    """``+0.134 [0.060, 0.208]``, the difference with its interval."""
    return f"{signed_text(difference.value)} {range_text(difference.interval)}".rstrip()


def tested_text(difference: Difference) -> str:
    """``p = 0.003, adjusted``"""
    if difference.p_adjusted is not None:
        return f"{p_text(difference.p_adjusted)}, adjusted"
    return "not tested" if difference.p_value is None else p_text(difference.p_value)


def winner_text(difference: Difference) -> str:
    """``▲ better``: a word, and a sign that does not need colour."""
    return {"better": "▲ better", "worse": "▼ worse", "unclear": "≈ unclear"}[difference.winner]


def main_metrics(summary: Summary, *, most: int = 3) -> tuple[str, ...]:
    """The first numeric metric of each evaluator, then the others, up to ``most``; for what was not measured."""
    ranked = summary.ranked_metrics
    first = {name.rpartition(".")[0]: name for name in reversed(ranked)}
    order = sorted(ranked, key=lambda name: name not in first.values())
    return tuple(order[:most])


def metrics_in_order(evidence: Evidence) -> tuple[Metric, ...]:
    """What gates decide on first, then what is measured line by line, then totals such as cost."""
    gated = {gate.metric for gate in evidence.gates}
    return tuple(sorted(evidence.metrics, key=lambda metric: (metric.name not in gated, metric.kind == "total")))


def leaderboards(summary: Summary, evidence: Evidence | None) -> tuple[Leaderboard, ...]:
    """One for each dataset."""
    found = _Found(summary, evidence)
    names = tuple(_metric_names(summary, evidence))
    return tuple(_leaderboard(table, names, found) for table in summary.datasets)


def rankings(summary: Summary, evidence: Evidence, *, main: int = 3) -> tuple[Ranking, ...]:
    """One for each metric and dataset that has an estimate; the first ``main`` metrics, those of gates, and those that
    people judged, too, are main ones.
    """
    found = _Found(summary, evidence)
    gated = {gate.metric for gate in evidence.gates}
    ranked = []
    for place, metric in enumerate(metrics_in_order(evidence)):
        for table in summary.datasets:
            ranking = _ranking(table, metric, found, evidence, main=place < main or metric.name in gated)
            if ranking.standings:
                ranked.append(ranking)
    return tuple(ranked)


class _Found:
    """What is known of each version, by dataset, version and metric as the tables name them."""

    def __init__(self, summary: Summary, evidence: Evidence | None) -> None:
        self.baseline = evidence.baseline if evidence else None
        self.estimates: dict[tuple[str, str, str], Estimate] = {}
        self.differences: dict[tuple[str, str, str], Difference] = {}
        self.higher: dict[str, bool] = {}
        self.colours = {label: place % 8 for place, label in enumerate(summary.labels)}
        if evidence is not None:
            whole = (each for each in evidence.estimates if not each.slice)
            self.estimates = {(each.dataset, each.version, each.metric.name): each for each in whole}
            tested = (each for each in evidence.differences if not each.slice)
            self.differences = {(each.dataset, each.version, each.metric.name): each for each in tested}
            self.higher = {metric.name: metric.higher_is_better for metric in evidence.metrics}

    def standings(self, table: DatasetTable, names: Sequence[str]) -> list[Standing]:
        """The versions in the order of the table, with these metrics."""
        rows = [{name: self._score(row, name) for name in names} for row in table.rows]
        for name in names:
            _mark_best(rows, name, lower=self.is_lower_better(name))
        return [
            Standing(row, scores, self.baseline in (row.label, row.run.name))
            for row, scores in zip(table.rows, rows, strict=True)
        ]

    def _score(self, row: VariantRow, metric: str) -> Score:
        for version in (row.label, row.run.name):
            place = (row.dataset, version, metric)
            if estimate := self.estimates.get(place):
                return Score(count_or_number(metric, estimate.value), estimate, self.differences.get(place))
        return Score(row.metrics.get(metric))

    def is_lower_better(self, metric: str) -> bool:
        return not self.higher[metric] if metric in self.higher else lower_is_better(metric)


def _metric_names(summary: Summary, evidence: Evidence | None) -> Iterator[str]:
    """Measured metrics first, then those that only have a number of the run; not those with a column of their own.

    These are all there is where nothing else was measured.
    """
    measured = [] if evidence is None else metrics_in_order(evidence)
    own = {metric.name for metric in measured if metric.evaluator is None and metric.name.startswith(_OWN_COLUMN)}
    known = {name for metric in measured for name in (metric.name, f"{metric.evaluator}.{metric.name}")}
    main = main_metrics(summary, most=len(summary.metrics))
    names = [*(metric.name for metric in measured), *(name for name in main if name not in known)]
    names += [name for name in summary.metrics if name not in known and name not in main]
    yield from [name for name in names if name not in own] or names


def _leaderboard(table: DatasetTable, names: Sequence[str], found: _Found) -> Leaderboard:
    standings = found.standings(table, names)
    metrics = tuple(name for name in names if any(each.scores[name].value is not None for each in standings))
    kept = [replace(each, scores={name: each.scores[name] for name in metrics}) for each in standings]
    main = next((name for name in metrics if any(is_ranked(each.scores[name].value) for each in kept)), None)
    ranked = kept if main is None else _ranked(kept, main, lower=found.is_lower_better(main))
    return Leaderboard(table.name, metrics, tuple(ranked))


def _ranking(table: DatasetTable, metric: Metric, found: _Found, evidence: Evidence, *, main: bool) -> Ranking:
    standings = [each for each in found.standings(table, [metric.name]) if each.scores[metric.name].estimate]
    standings = _ranked(standings, metric.name, lower=not metric.higher_is_better)
    estimates = [each.scores[metric.name].estimate for each in standings]
    base = next((each.scores[metric.name].value for each in standings if each.is_baseline), None)
    drawings = whiskers(
        [each for each in estimates if each], base, [found.colours[each.row.label] for each in standings]
    )
    said = tuple(each for each in evidence.agreements if each.startswith(f"{metric.name} on {table.name}: "))
    return Ranking(metric, table.name, tuple(standings), evidence.baseline, drawings, said, main or bool(said))


def _mark_best(rows: Sequence[dict[str, Score]], name: str, *, lower: bool) -> None:
    values = [scores[name].value for scores in rows if is_ranked(scores[name].value)]
    if len(values) < 2:
        return  # there is nothing to be better than
    top = min(values) if lower else max(values)
    for scores in rows:
        score = scores[name]
        if is_ranked(score.value) and score.value == top and not score.has_only_failed:
            scores[name] = replace(score, best=True)


def _ranked(standings: list[Standing], metric: str, *, lower: bool) -> list[Standing]:
    """The best first, of equal ones those whose every line failed last; those without a number stay at the end."""
    sign = 1 if lower else -1

    def place(standing: Standing) -> tuple[bool, float, bool]:
        score = standing.scores[metric]
        value = score.value
        return (not is_ranked(value), sign * value if is_ranked(value) else 0, score.has_only_failed)

    return sorted(standings, key=place)
