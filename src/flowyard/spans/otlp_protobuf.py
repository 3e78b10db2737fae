"""The same exports in protobuf's binary form, made from their JSON.

Protobuf is a row of fields, each its number and kind and then its bytes; the numbers are those of OpenTelemetry's
``trace.proto``, ``metrics.proto`` and ``common.proto``. A library for so little would be the largest part of an image.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Mapping
from typing import Any

__all__ = ["metrics_to_protobuf", "to_protobuf"]

_VARINT, _FIXED64, _BYTES = 0, 1, 2


def to_protobuf(request: Mapping[str, Any]) -> bytes:
    """An ``ExportTraceServiceRequest`` that ``otlp_json.export_request`` made."""
    return _each(1, request["resourceSpans"], _resource_spans)


def metrics_to_protobuf(request: Mapping[str, Any]) -> bytes:
    """An ``ExportMetricsServiceRequest`` that ``otlp_metrics.metrics_request`` made."""
    return _each(1, request["resourceMetrics"], _resource_metrics)


def _resource_spans(form: Mapping[str, Any]) -> bytes:
    return _resource(form) + _each(2, form["scopeSpans"], _scope_spans)


def _scope_spans(form: Mapping[str, Any]) -> bytes:
    return _scope(form) + _each(2, form["spans"], _span)


def _resource_metrics(form: Mapping[str, Any]) -> bytes:
    return _resource(form) + _each(2, form["scopeMetrics"], _scope_metrics)


def _scope_metrics(form: Mapping[str, Any]) -> bytes:
    return _scope(form) + _each(2, form["metrics"], _metric)


def _metric(form: Mapping[str, Any]) -> bytes:
    gauge = _message(5, _each(1, form["gauge"]["dataPoints"], _point))
    return _text(1, form["name"]) + _text(2, form["description"]) + _text(3, form["unit"]) + gauge


def _point(form: Mapping[str, Any]) -> bytes:
    value = _key(4, _FIXED64) + struct.pack("<d", form["asDouble"])
    return _fixed(3, int(form["timeUnixNano"])) + value + _each(7, form["attributes"], _attribute)


def _resource(form: Mapping[str, Any]) -> bytes:
    return _message(1, _each(1, form["resource"]["attributes"], _attribute))


def _scope(form: Mapping[str, Any]) -> bytes:
    return _message(1, _text(1, form["scope"]["name"]))


def _span(form: Mapping[str, Any]) -> bytes:
    return b"".join(
        (
            _message(1, bytes.fromhex(form["traceId"])),
            _message(2, bytes.fromhex(form["spanId"])),
            _message(4, bytes.fromhex(form["parentSpanId"])) if "parentSpanId" in form else b"",
            _text(5, form["name"]),
            _number(6, form["kind"]),
            _fixed(7, int(form["startTimeUnixNano"])),
            _fixed(8, int(form["endTimeUnixNano"])),
            _each(9, form["attributes"], _attribute),
            _each(11, form.get("events", ()), _event),
            _message(15, _status(form["status"])),
        )
    )


def _event(form: Mapping[str, Any]) -> bytes:
    return _fixed(1, int(form["timeUnixNano"])) + _text(2, form["name"]) + _each(3, form["attributes"], _attribute)


def _status(form: Mapping[str, Any]) -> bytes:
    return (_text(2, form["message"]) if "message" in form else b"") + (
        _number(3, form["code"]) if "code" in form else b""
    )


def _attribute(form: Mapping[str, Any]) -> bytes:
    return _text(1, form["key"]) + _message(2, _value(form["value"]))


def _value(form: Mapping[str, Any]) -> bytes:
    """The one field that is set, also when it is 0 or empty; none for no value."""
    for name, value in form.items():
        return _VALUES[name](value)
    return b""


_VALUES: Mapping[str, Callable[[Any], bytes]] = {
    "stringValue": lambda value: _text(1, value),
    "boolValue": lambda value: _number(2, int(value)),
    "intValue": lambda value: _number(3, int(value)),
    "doubleValue": lambda value: _key(4, _FIXED64) + struct.pack("<d", value),
    "arrayValue": lambda value: _message(5, _each(1, value["values"], _value)),
    "kvlistValue": lambda value: _message(6, _each(1, value["values"], _attribute)),
}


def _each(field: int, forms: Iterable[Mapping[str, Any]], encode: Callable[[Mapping[str, Any]], bytes]) -> bytes:
    return b"".join(_message(field, encode(form)) for form in forms)


def _text(field: int, text: str) -> bytes:
    return _message(field, text.encode("utf-8", "replace"))


def _message(field: int, data: bytes) -> bytes:
    return _key(field, _BYTES) + _varint(len(data)) + data


def _number(field: int, value: int) -> bytes:
    return _key(field, _VARINT) + _varint(value & (2**64 - 1))


def _fixed(field: int, value: int) -> bytes:
    return _key(field, _FIXED64) + struct.pack("<Q", value)


def _key(field: int, kind: int) -> bytes:
    return _varint(field << 3 | kind)


def _varint(number: int) -> bytes:
    found = bytearray()
    while number > 127:
        found.append(number & 127 | 128)
        number >>= 7
    found.append(number)
    return bytes(found)
