"""Spans in OpenTelemetry's JSON: the body of an export over HTTP."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from flowyard._util.files import dump_json
from flowyard.spans.span import Span

__all__ = ["MOST_TEXT", "attributes", "export_request", "span_json"]

MOST_TEXT = 64_000
"""Longer texts are cut off."""

_DEEPEST = 20
_KINDS = {"internal": 1, "server": 2, "client": 3}
_ERROR = 2


def export_request(spans: Iterable[Mapping[str, Any]], resource: Mapping[str, Any]) -> dict[str, Any]:
    """The body of an export; ``resource`` are the attributes of what made the spans."""
    scope = {"scope": {"name": "flowyard"}, "spans": list(spans)}
    return {"resourceSpans": [{"resource": {"attributes": attributes(resource)}, "scopeSpans": [scope]}]}


def span_json(span: Span) -> dict[str, Any]:
    """One span."""
    form: dict[str, Any] = {
        "traceId": span.trace,
        "spanId": span.span,
        "name": span.name,
        "kind": _KINDS[span.kind],
        "startTimeUnixNano": str(span.start_ns),
        "endTimeUnixNano": str(span.end_ns),
        "attributes": attributes(span.attributes),
        "status": {},
    }
    if span.parent is not None:
        form["parentSpanId"] = span.parent
    if (failure := span.failure) is not None:
        form["status"] = {"code": _ERROR, "message": failure.message[:MOST_TEXT]}
        shown = {"exception.type": failure.type, "exception.message": failure.message}
        if failure.stack:
            shown["exception.stacktrace"] = failure.stack
        event = {"name": "exception", "timeUnixNano": str(span.end_ns), "attributes": attributes(shown)}
        form["events"] = [event]
    return form


def attributes(values: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Attributes by name."""
    return [{"key": name, "value": _any_value(value)} for name, value in values.items()]


def _any_value(value: Any, depth: int = 0) -> dict[str, Any]:
    """OpenTelemetry's form of a value; what has none, or is too deep or long, is text."""
    if value is None:
        return {}
    if isinstance(value, bool | int | float):
        return _number(value)
    if isinstance(value, Mapping) and depth < _DEEPEST:
        inner = [{"key": str(name), "value": _any_value(each, depth + 1)} for name, each in value.items()]
        return {"kvlistValue": {"values": inner}}
    if isinstance(value, list | tuple) and depth < _DEEPEST:
        return {"arrayValue": {"values": [_any_value(each, depth + 1) for each in value]}}
    text = value if isinstance(value, str) else dump_json(value)
    text = text.encode("utf-8", "replace").decode()
    return {"stringValue": text if len(text) <= MOST_TEXT else f"{text[: MOST_TEXT - 1]}…"}


def _number(value: float) -> dict[str, Any]:
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int) and -(2**63) <= value < 2**63:
        return {"intValue": str(value)}
    if isinstance(value, float) and math.isfinite(value):
        return {"doubleValue": value}
    return {"stringValue": str(value)}
