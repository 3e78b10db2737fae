"""Gauges in OpenTelemetry's form: the body of an export of metrics over HTTP, as JSON and as protobuf."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from flowyard.spans.otlp_json import attributes

__all__ = ["Gauge", "metrics_request"]


@dataclass(frozen=True, slots=True)
class Gauge:
    """A metric whose points are what is now: (value, attributes). ``unit`` is one of UCUM."""

    name: str
    text: str
    unit: str
    points: Iterable[tuple[float, Mapping[str, Any]]]


def metrics_request(gauges: Iterable[Gauge], at_ns: int, resource: Mapping[str, Any]) -> dict[str, Any]:
    """An ``ExportMetricsServiceRequest``; metrics without points are left out."""
    forms = [form for gauge in gauges if (form := _gauge(gauge, at_ns))["gauge"]["dataPoints"]]
    scope = {"scope": {"name": "flowyard"}, "metrics": forms}
    return {"resourceMetrics": [{"resource": {"attributes": attributes(resource)}, "scopeMetrics": [scope]}]}


def _gauge(gauge: Gauge, at_ns: int) -> dict[str, Any]:
    points = [
        {"attributes": attributes(facts), "timeUnixNano": str(at_ns), "asDouble": float(value)}
        for value, facts in gauge.points
    ]
    return {"name": gauge.name, "description": gauge.text, "unit": gauge.unit, "gauge": {"dataPoints": points}}
