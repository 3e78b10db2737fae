"""What the rules are about, as it is now: each metric for each version or the whole flow."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from flowyard.production.alerts.model import AlertRule, Condition, Measured
from flowyard.production.drift.model import DriftReport
from flowyard.production.exchanges.scores import feedback_scores
from flowyard.production.exchanges.series import SeriesPoint, Window, series
from flowyard.production.judging.scores import judge_moments
from flowyard.production.store.store import ProductionStore
from flowyard.statistics.two_sample import Moments, welch_t

__all__ = ["Meter"]

_SURE = 0.01
"""How rarely chance may look like a change of a rate or a mean, by Welch's test, one-sided."""

_MOST_NAMED = 5

DriftLook = Callable[[Window, str], DriftReport]
"""Compares a window with what is normal, by version or flow."""


@dataclass(frozen=True, slots=True)
class _Value:
    """``count`` is what it is of: too few say nothing, unless it is a sum. ``moments`` where chance can be told."""

    value: float | None
    count: int
    requests: int
    is_sum: bool = False
    moments: Moments | None = None


_OF_POINTS: Mapping[str, Callable[[SeriesPoint], _Value]] = {
    "requests": lambda point: _Value(point.requests, point.requests, point.requests, is_sum=True),
    "tokens": lambda point: _Value(_tokens(point), point.requests, point.requests, is_sum=True),
    "cost_usd": lambda point: _Value(point.cost_usd, point.requests, point.requests, is_sum=True),
    "cost_usd_per_request": lambda point: _Value(point.cost_usd / point.requests, point.requests, point.requests),
    "error_rate": lambda point: _share(point.failed, point.requests, point.requests),
    "feedback.positive": lambda point: _share(point.positive, point.positive + point.negative, point.requests),
    "latency_s.p50": lambda point: _Value(point.latency_p50_s, point.requests, point.requests),
    "latency_s.p95": lambda point: _Value(point.latency_p95_s, point.requests, point.requests),
    "latency_s.p99": lambda point: _Value(point.latency_p99_s, point.requests, point.requests),
}


def _tokens(point: SeriesPoint) -> float:
    return point.prompt_tokens + point.completion_tokens


def _share(part: int, whole: int, requests: int) -> _Value:
    moments = Moments(whole, part, part)
    return _Value(part / whole if whole else None, whole, requests, moments=moments)


@dataclass(slots=True)
class Meter:
    """Measures rules at one moment; what several rules need is asked of the store once."""

    store: ProductionStore
    flow: str
    now: datetime
    drift: DriftLook
    _points: dict[tuple[Window, str], Sequence[SeriesPoint]] = field(default_factory=dict)
    _reports: dict[tuple[Window, str], DriftReport] = field(default_factory=dict)

    def measure(self, rule: AlertRule) -> Sequence[Measured]:
        """What a rule sees of each version with requests, or of the whole flow, which is always there."""
        condition = rule.when
        window = Window(self.now - condition.window, self.now)
        if condition.comparison == "drifts":
            return self._drifts(rule, window)
        values = self._values(condition.metric, window, rule.by)
        if rule.by == "flow" and not values:
            values = {"": _Value(0.0 if condition.metric in _SUMS else None, 0, 0, is_sum=condition.metric in _SUMS)}
        before = self._before(rule, window) if condition.comparison in ("rises", "drops") else {}
        return [self._judged(rule, group, value, before) for group, value in sorted(values.items())]

    def _values(self, metric: str, window: Window, by: str) -> dict[str, _Value]:
        points = {point.group: point for point in self._series(window, by)}
        if metric in _OF_POINTS:
            return {group: _OF_POINTS[metric](point) for group, point in points.items()}
        scores = self._scores(metric, window, "flow" if by == "flow" else "version")
        return {group: _mean(scores.get(group, Moments(0, 0, 0)), point.requests) for group, point in points.items()}

    def _scores(self, metric: str, window: Window, by: Literal["version", "flow"]) -> Mapping[str, Moments]:
        kind, _, name = metric.partition(".")
        if kind == "feedback":
            return feedback_scores(self.store, self.flow, window, by)
        return judge_moments(self.store, self.flow, window, by).get(name, {})

    def _series(self, window: Window, by: str) -> Sequence[SeriesPoint]:
        if (window, by) not in self._points:
            found = series(self.store, self.flow, window, by="flow" if by == "flow" else "version")
            self._points[window, by] = found
        return self._points[window, by]

    def _before(self, rule: AlertRule, window: Window) -> dict[str, _Value]:
        """The same metric before the window: of each group, and of the whole flow under no name."""
        length = rule.when.against or rule.when.window
        earlier = Window(window.since - length, window.since)
        return self._values(rule.when.metric, earlier, rule.by) | self._values(rule.when.metric, earlier, "flow")

    def _judged(self, rule: AlertRule, group: str, now: _Value, before: Mapping[str, _Value]) -> Measured:
        condition = rule.when
        if now.value is None or not (now.is_sum or now.count >= rule.min_requests):
            text = f"{now.count} of the {rule.min_requests} that are needed"
            return Measured(group, None, now.value, text, now.requests)
        if condition.comparison in (">", "<"):
            holds = now.value > condition.limit if condition.comparison == ">" else now.value < condition.limit
            return Measured(group, holds, now.value, f"{now.value:.4g}", now.requests)
        return self._changed(rule, group, now, now.value, before)

    def _changed(
        self, rule: AlertRule, group: str, now: _Value, value: float, before: Mapping[str, _Value]
    ) -> Measured:
        """Against the group's own past where there is enough of it, else against the whole flow's."""
        usable = (before.get(each) for each in (group, ""))
        past = next((each for each in usable if each and each.count >= rule.min_requests), None)
        if past is None or past.value is None:
            return Measured(group, None, value, f"{value:.4g}, with too little to compare it with", now.requests)
        usual = past.value * _scale(rule.when) if now.is_sum else past.value
        change = value - usual if rule.when.comparison == "rises" else usual - value
        holds = change >= rule.when.limit > 0 or (rule.when.limit == 0 and change > 0)
        is_sure = _is_sure(past.moments, now.moments)
        said = "" if is_sure or not holds else ", which may be chance"
        return Measured(group, holds and is_sure, value, f"{value:.4g} after {usual:.4g}{said}", now.requests)

    def _drifts(self, rule: AlertRule, window: Window) -> Sequence[Measured]:
        if (window, rule.by) not in self._reports:
            self._reports[window, rule.by] = self.drift(window, rule.by)
        report = self._reports[window, rule.by]
        wanted = rule.when.metric.partition(".")[2]
        found = []
        for group, count in report.current_records.items():
            if group in report.too_few or count < rule.min_requests:
                found.append(Measured(group, None, None, f"{count} records are too few", count))
                continue
            drifted = [each for each in report.drifted if each.version == group and _is_below(each.feature, wanted)]
            named = [f"{each.feature} by {each.effect:.2f} (p {each.p_value:.1g})" for each in drifted[:_MOST_NAMED]]
            more = [f"{len(drifted) - _MOST_NAMED} more"] if len(drifted) > _MOST_NAMED else []
            text = ", ".join([*named, *more]) or "nothing drifted"
            found.append(Measured(group, bool(drifted), float(len(drifted)), text, count))
        return found


_SUMS = ("requests", "tokens", "cost_usd")


def _mean(moments: Moments, requests: int) -> _Value:
    return _Value(moments.mean if moments.n else None, moments.n, requests, moments=moments)


def _scale(condition: Condition) -> float:
    """What a sum of the time before would be in a window."""
    earlier: timedelta = condition.against or condition.window
    return condition.window / earlier


def _is_sure(before: Moments | None, now: Moments | None) -> bool:
    """Whether chance is unlikely to do this; where nothing is known of it, the least number of requests has to do."""
    if before is None or now is None:
        return True
    if min(before.n, now.n) < 2:
        return False
    p_value = welch_t(before, now).p_value
    return not math.isnan(p_value) and p_value / 2 <= _SURE


def _is_below(feature: str, wanted: str) -> bool:
    return not wanted or feature == wanted or feature.startswith(f"{wanted}.")
