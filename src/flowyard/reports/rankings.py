"""Each metric's versions beneath each other: value, interval, and the difference to the baseline in words, too."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from markupsafe import Markup

from flowyard.decisions.model import Difference, Estimate, Evidence, Interval, Metric
from flowyard.reports.line_scores import of_version
from flowyard.reports.table import DatasetTable, Summary, VariantRow
from flowyard.reports.values import metric_text, p_text, signed_text

__all__ = ["Ranking", "Standing", "metrics_in_order", "rankings"]

_WIDTH, _HEIGHT = 220, 22
_ROOM = 6
_Item = TypeVar("_Item", Estimate, Difference)


@dataclass(frozen=True, slots=True)
class Standing:
    """One version on one metric. ``svg`` draws value and interval on a scale that all versions share."""

    row: VariantRow
    estimate: Estimate
    difference: Difference | None
    is_baseline: bool
    svg: Markup

    @property
    def interval_text(self) -> str:
        return interval_text(self.estimate.interval)

    @property
    def difference_text(self) -> str:
        """``+0.134 [0.060, 0.208]``"""
        if self.difference is None:
            return ""
        return f"{signed_text(self.difference.value)} {interval_text(self.difference.interval)}".rstrip()

    @property
    def p_text(self) -> str:
        """``p = 0.003, adjusted``"""
        if self.difference is None:
            return ""
        adjusted, raw = self.difference.p_adjusted, self.difference.p_value
        if adjusted is not None:
            return f"{p_text(adjusted)}, adjusted"
        return p_text(raw) if raw is not None else "not tested"


@dataclass(frozen=True, slots=True)
class Ranking:
    """One metric on one dataset. ``main`` says whether it is shown before a reader asks for it."""

    metric: Metric
    dataset: str
    standings: tuple[Standing, ...]
    baseline: str | None
    main: bool

    @property
    def confidence(self) -> str:
        """``95 % interval``, or ``interval`` where versions have different ones."""
        found = {each.estimate.interval.confidence for each in self.standings if each.estimate.interval}
        return f"{found.pop() * 100:g} % interval" if len(found) == 1 else "interval"

    @property
    def methods(self) -> tuple[str, ...]:
        """How intervals and tests were made, each once."""
        intervals = [each.estimate.interval.method for each in self.standings if each.estimate.interval]
        tests = [each.difference.method for each in self.standings if each.difference]
        return tuple(dict.fromkeys(name for name in [*intervals, *tests] if name))

    @property
    def has_differences(self) -> bool:
        return any(each.difference for each in self.standings)


def interval_text(interval: Interval | None) -> str:
    """``[0.871, 0.942]``; empty without an interval."""
    return "" if interval is None else f"[{metric_text(interval.low)}, {metric_text(interval.high)}]"


def metrics_in_order(evidence: Evidence) -> tuple[Metric, ...]:
    """What gates decide on first, then what is measured line by line, then totals such as cost."""
    gated = {gate.metric for gate in evidence.gates}
    return tuple(sorted(evidence.metrics, key=lambda metric: (metric.name not in gated, metric.kind == "total")))


def rankings(summary: Summary, evidence: Evidence, *, main: int = 3) -> tuple[Ranking, ...]:
    """One for each metric and dataset that has an estimate, the best version first."""
    metrics = metrics_in_order(evidence)
    gated = {gate.metric for gate in evidence.gates}
    found = []
    for place, metric in enumerate(metrics):
        for table in summary.datasets:
            standings = _standings(table, metric, evidence)
            if standings:
                is_main = place < main or metric.name in gated
                found.append(Ranking(metric, table.name, standings, evidence.baseline, is_main))
    return tuple(found)


def _standings(table: DatasetTable, metric: Metric, evidence: Evidence) -> tuple[Standing, ...]:
    estimates = _whole(evidence.estimates, metric, table.name)
    differences = _whole(evidence.differences, metric, table.name)
    pairs = [(row, of_version(row, estimates)) for row in table.rows]
    known = [(row, estimate) for row, estimate in pairs if estimate is not None]
    known.sort(key=lambda pair: pair[1].value, reverse=metric.higher_is_better)
    scale = _scale([estimate for _, estimate in known])
    base = next((each.value for row, each in known if _is_baseline(row, evidence)), None)
    colours = {row.label: place for place, row in enumerate(table.rows)}
    return tuple(
        Standing(
            row,
            estimate,
            None if _is_baseline(row, evidence) else of_version(row, differences),
            _is_baseline(row, evidence),
            _whisker(estimate, scale, base, colours[row.label] % 8),
        )
        for row, estimate in known
    )


def _whole(items: Iterable[_Item], metric: Metric, dataset: str) -> Mapping[str, _Item]:
    """By version, without those of slices."""
    return {
        each.version: each
        for each in items
        if each.metric.name == metric.name and each.dataset == dataset and not each.slice
    }


def _is_baseline(row: VariantRow, evidence: Evidence) -> bool:
    return evidence.baseline is not None and evidence.baseline in (row.label, row.run.name)


def _scale(estimates: Sequence[Estimate]) -> tuple[float, float]:
    ends = [each.value for each in estimates]
    ends += [end for each in estimates if each.interval for end in (each.interval.low, each.interval.high)]
    low, high = min(ends, default=0.0), max(ends, default=1.0)
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def _whisker(estimate: Estimate, scale: tuple[float, float], base: float | None, colour: int) -> Markup:
    """Hidden from screen readers: the numbers stand beside it."""
    middle = _HEIGHT / 2
    parts = [Markup('<path class="grid" d="M0 {0}H{1}"/>').format(middle, _WIDTH)]
    if base is not None:
        at = _place(base, scale)
        parts.append(Markup('<path class="base" d="M{0:.1f} 1V{1}"/>').format(at, _HEIGHT - 1))
    if estimate.interval:
        left, right = _place(estimate.interval.low, scale), _place(estimate.interval.high, scale)
        line = Markup('<path class="s{0} whisker" d="M{1:.1f} {2}v8m0 -4H{3:.1f}m0 -4v8"/>')
        parts.append(line.format(colour, left, middle - 4, right))
    dot = Markup('<circle class="f{} dot" cx="{:.1f}" cy="{}" r="4.5"/>')
    parts.append(dot.format(colour, _place(estimate.value, scale), middle))
    start = Markup('<svg class="interval" viewBox="0 0 {} {}" aria-hidden="true" focusable="false">')
    return start.format(_WIDTH, _HEIGHT) + Markup("").join(parts) + Markup("</svg>")


def _place(value: float, scale: tuple[float, float]) -> float:
    low, high = scale
    share = (min(max(value, low), high) - low) / (high - low)
    return _ROOM + share * (_WIDTH - 2 * _ROOM)
