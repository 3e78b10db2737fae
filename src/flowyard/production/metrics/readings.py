"""How versions, arms and alerts are now, as named numbers with labels; no more than a monitoring system should get."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from flowyard.production.alerts.tables import read_states
from flowyard.production.exchanges.series import Grouping, SeriesPoint, Window, series
from flowyard.production.judging.scores import judge_moments
from flowyard.production.store.store import ProductionStore

__all__ = ["MOST_FLOWS", "MOST_GROUPS", "Metric", "Point", "Readings", "read_metrics"]

MOST_FLOWS, MOST_GROUPS = 50, 20
"""Names come from records: of more flows and experiments, and of more versions or arms of one, some are left out."""

_STATES = {"ok": 0, "resolved": 0, "pending": 1, "firing": 2}


@dataclass(frozen=True, slots=True)
class Point:
    """A number and what it is of."""

    value: float
    labels: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Metric:
    """``name`` is the last part of the whole name, with underscores. All of them are gauges."""

    name: str
    text: str
    unit: str
    points: Sequence[Point]


@dataclass(frozen=True, slots=True)
class Readings:
    """All metrics of one moment."""

    at: datetime
    metrics: Sequence[Metric]


@dataclass(frozen=True, slots=True)
class _Form:
    text: str
    unit: str


_FORMS: Mapping[str, _Form] = {
    "requests": _Form("Requests in the window.", "{request}"),
    "failed_requests": _Form("Requests in the window that failed.", "{request}"),
    "latency_seconds": _Form("Percentiles of latencies in the window, by nearest rank.", "s"),
    "tokens": _Form("Tokens of model calls in the window.", "{token}"),
    "cost_usd": _Form("Cost of model calls in the window.", "USD"),
    "feedback": _Form("Answers in the window with feedback that says yes or no.", "{answer}"),
    "judge_score": _Form("Means of judges' scores of requests in the window.", "1"),
    "alert_state": _Form("0 ok or resolved, 1 pending, 2 firing, as the last look left it.", "1"),
    "left_out": _Form("Names that are not here, because there are too many.", "{name}"),
    "window_seconds": _Form("The length of the window.", "s"),
}


def read_metrics(store: ProductionStore, flow: str | None = None, window: timedelta = timedelta(minutes=5)) -> Readings:
    """The metrics of a flow, or of all flows and experiments, over the last ``window``. Raises StoreError."""
    now = datetime.now(UTC)
    now = now.replace(microsecond=now.microsecond // 1000 * 1000) + timedelta(milliseconds=1)
    span = Window(now - window, now)
    flows = [flow] if flow is not None else list(store.flows())
    experiments = [each for each in store.experiments() if flow in (None, each)]
    found: dict[str, list[Point]] = {name: [] for name in _FORMS}
    left = {"flows": max(0, len(flows) - MOST_FLOWS), "experiments": max(0, len(experiments) - MOST_FLOWS)}
    for name in flows[:MOST_FLOWS]:
        left["versions"] = left.get("versions", 0) + _add(found, store, name, span, "version")
        _add_judges(found, store, name, span)
        _add_alerts(found, store, name)
    for name in experiments[:MOST_FLOWS]:
        left["arms"] = left.get("arms", 0) + _add(found, store, name, span, "arm")
    found["left_out"] = [Point(count, {"what": what}) for what, count in left.items()]
    found["window_seconds"] = [Point(window.total_seconds(), {})]
    metrics = [Metric(name, form.text, form.unit, found[name]) for name, form in _FORMS.items()]
    return Readings(now, metrics)


def _add(found: dict[str, list[Point]], store: ProductionStore, name: str, span: Window, by: Grouping) -> int:
    """Add the points of the versions or arms with the most requests; returns how many others there are."""
    points = sorted(series(store, name, span, by=by), key=lambda each: (-each.requests, each.group))
    of = "flow" if by == "version" else "experiment"
    for point in points[:MOST_GROUPS]:
        labels = {of: name, by: point.group}
        for metric, value, more in _values(point):
            found[metric].append(Point(value, {**labels, **more}))
    return max(0, len(points) - MOST_GROUPS)


def _values(point: SeriesPoint) -> Iterator[tuple[str, float, Mapping[str, str]]]:
    yield "requests", point.requests, {}
    yield "failed_requests", point.failed, {}
    latencies = (("0.5", point.latency_p50_s), ("0.95", point.latency_p95_s), ("0.99", point.latency_p99_s))
    yield from (("latency_seconds", value, {"quantile": name}) for name, value in latencies if value is not None)
    yield "tokens", point.prompt_tokens, {"type": "prompt"}
    yield "tokens", point.completion_tokens, {"type": "completion"}
    yield "cost_usd", round(point.cost_usd, 9), {}
    yield "feedback", point.positive, {"said": "positive"}
    yield "feedback", point.negative, {"said": "negative"}


def _add_judges(found: dict[str, list[Point]], store: ProductionStore, flow: str, span: Window) -> None:
    for name, groups in sorted(judge_moments(store, flow, span, "version").items())[:MOST_GROUPS]:
        known = sorted(groups.items(), key=lambda each: (-each[1].n, each[0]))[:MOST_GROUPS]
        points = [Point(moments.mean, {"flow": flow, "version": group, "score": name}) for group, moments in known]
        found["judge_score"] += points


def _add_alerts(found: dict[str, list[Point]], store: ProductionStore, flow: str) -> None:
    states = sorted(read_states(store, flow), key=lambda each: (-_STATES[each.state], -each.since.timestamp()))
    for state in states[: MOST_GROUPS * 5]:
        labels = {"flow": flow, "rule": state.rule, "version": state.group}
        found["alert_state"].append(Point(_STATES[state.state], labels))
