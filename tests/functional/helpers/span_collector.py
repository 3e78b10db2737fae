"""An endpoint on this machine that takes spans and metrics: OpenTelemetry's and Application Insights', as documented.

Protobuf is read by Google's library from the fields of ``trace.proto`` and ``metrics.proto``, so that ours is held
against another's.
"""

from __future__ import annotations

import base64
import gzip
import json
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory

__all__ = ["SpanCollector", "read_protobuf", "span_collector"]

Reply = tuple[int, dict[str, str], bytes]
_TEXT, _BYTES, _MESSAGE, _FIXED, _INT, _ENUM, _DOUBLE, _BOOL = 9, 12, 11, 6, 3, 5, 1, 8
_FORMS: dict[str, list[tuple[str, int, int, str, bool]]] = {
    "Request": [("resource_spans", 1, _MESSAGE, "ResourceSpans", True)],
    "ResourceSpans": [("resource", 1, _MESSAGE, "Resource", False), ("scope_spans", 2, _MESSAGE, "ScopeSpans", True)],
    "Resource": [("attributes", 1, _MESSAGE, "KeyValue", True)],
    "ScopeSpans": [("scope", 1, _MESSAGE, "Scope", False), ("spans", 2, _MESSAGE, "Span", True)],
    "Scope": [("name", 1, _TEXT, "", False)],
    "MetricsRequest": [("resource_metrics", 1, _MESSAGE, "ResourceMetrics", True)],
    "ResourceMetrics": [
        ("resource", 1, _MESSAGE, "Resource", False),
        ("scope_metrics", 2, _MESSAGE, "ScopeMetrics", True),
    ],
    "ScopeMetrics": [("scope", 1, _MESSAGE, "Scope", False), ("metrics", 2, _MESSAGE, "Metric", True)],
    "Metric": [
        ("name", 1, _TEXT, "", False),
        ("description", 2, _TEXT, "", False),
        ("unit", 3, _TEXT, "", False),
        ("gauge", 5, _MESSAGE, "Gauge", False),
    ],
    "Gauge": [("data_points", 1, _MESSAGE, "NumberDataPoint", True)],
    "NumberDataPoint": [
        ("start_time_unix_nano", 2, _FIXED, "", False),
        ("time_unix_nano", 3, _FIXED, "", False),
        ("as_double", 4, _DOUBLE, "", False),
        ("attributes", 7, _MESSAGE, "KeyValue", True),
    ],
    "Span": [
        ("trace_id", 1, _BYTES, "", False),
        ("span_id", 2, _BYTES, "", False),
        ("parent_span_id", 4, _BYTES, "", False),
        ("name", 5, _TEXT, "", False),
        ("kind", 6, _ENUM, "", False),
        ("start_time_unix_nano", 7, _FIXED, "", False),
        ("end_time_unix_nano", 8, _FIXED, "", False),
        ("attributes", 9, _MESSAGE, "KeyValue", True),
        ("events", 11, _MESSAGE, "Event", True),
        ("status", 15, _MESSAGE, "Status", False),
    ],
    "Event": [
        ("time_unix_nano", 1, _FIXED, "", False),
        ("name", 2, _TEXT, "", False),
        ("attributes", 3, _MESSAGE, "KeyValue", True),
    ],
    "Status": [("message", 2, _TEXT, "", False), ("code", 3, _ENUM, "", False)],
    "KeyValue": [("key", 1, _TEXT, "", False), ("value", 2, _MESSAGE, "AnyValue", False)],
    "ArrayValue": [("values", 1, _MESSAGE, "AnyValue", True)],
    "KeyValueList": [("values", 1, _MESSAGE, "KeyValue", True)],
    "AnyValue": [
        ("string_value", 1, _TEXT, "", False),
        ("bool_value", 2, _BOOL, "", False),
        ("int_value", 3, _INT, "", False),
        ("double_value", 4, _DOUBLE, "", False),
        ("array_value", 5, _MESSAGE, "ArrayValue", False),
        ("kvlist_value", 6, _MESSAGE, "KeyValueList", False),
    ],
}


@cache
def _request_class(name_of_request: str) -> Any:
    file = descriptor_pb2.FileDescriptorProto(name="spans.proto", package="spans", syntax="proto3")
    for name, fields in _FORMS.items():
        form = file.message_type.add(name=name)
        if name == "AnyValue":
            form.oneof_decl.add(name="value")
        for field_name, number, kind, of, repeats in fields:
            added = form.field.add(name=field_name, number=number, type=kind, label=3 if repeats else 1)
            if of:
                added.type_name = f".spans.{of}"
            if name == "AnyValue":
                added.oneof_index = 0
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"spans.{name_of_request}"))


def read_protobuf(data: bytes, request: str = "Request") -> dict[str, Any]:
    """An export of spans, or of metrics by a ``MetricsRequest``, as OpenTelemetry's JSON has it."""
    message = _request_class(request)()
    assert message.ParseFromString(data) == len(data)
    form: dict[str, Any] = json_format.MessageToDict(message)
    for span in _spans(form):
        for name in ("traceId", "spanId", "parentSpanId"):
            if name in span:
                span[name] = base64.b64decode(span[name]).hex()
    return form


def _spans(form: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        span
        for each in form.get("resourceSpans", ())
        for scope in each.get("scopeSpans", ())
        for span in scope["spans"]
    ]


def _value(form: dict[str, Any]) -> Any:
    for kind, value in form.items():
        if kind == "intValue":
            return int(value)
        if kind == "arrayValue":
            return [_value(each) for each in value.get("values", ())]
        if kind == "kvlistValue":
            return {each["key"]: _value(each["value"]) for each in value.get("values", ())}
        return value
    return None


def _facts(form: dict[str, Any]) -> dict[str, Any]:
    return {each["key"]: _value(each["value"]) for each in form.get("attributes", ())}


@dataclass
class SpanCollector:
    """``bodies`` are what came, read; ``behave`` gets the number of a request, from 1, and may answer otherwise."""

    behave: Callable[[int, Any], Reply | None] = lambda number, body: None
    url: str = ""
    bodies: list[Any] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    changed: threading.Condition = field(default_factory=threading.Condition)

    @property
    def spans(self) -> list[dict[str, Any]]:
        """All spans, their attributes as a mapping called ``facts``."""
        found = [span for body in self.bodies if isinstance(body, dict) for span in _spans(body)]
        return [{**span, "facts": _facts(span)} for span in found]

    @property
    def metrics(self) -> dict[str, list[tuple[dict[str, Any], float]]]:
        """The points of the last export of metrics by name: what each is of, and its value."""
        body = next(each for each in reversed(self.bodies) if "resourceMetrics" in each)
        found = [
            metric for each in body["resourceMetrics"] for scope in each["scopeMetrics"] for metric in scope["metrics"]
        ]
        return {
            metric["name"]: [(_facts(point), point.get("asDouble", 0.0)) for point in metric["gauge"]["dataPoints"]]
            for metric in found
        }

    @property
    def envelopes(self) -> list[dict[str, Any]]:
        return [each for body in self.bodies if isinstance(body, list) for each in body]

    @property
    def resource(self) -> dict[str, Any]:
        return _facts(self.bodies[0]["resourceSpans"][0]["resource"])

    def wait(self, is_there: Callable[[], bool]) -> None:
        """Wait for what is to come."""
        with self.changed:
            assert self.changed.wait_for(is_there, 120)

    def take(self, path: str, headers: dict[str, str], data: bytes) -> Reply:
        if headers.get("content-encoding") == "gzip":
            data = gzip.decompress(data)
        request = "MetricsRequest" if path.partition("?")[0].endswith("/v1/metrics") else "Request"
        body = read_protobuf(data, request) if headers["content-type"] == "application/x-protobuf" else json.loads(data)
        with self.changed:
            self.bodies.append(body)
            self.headers.append(headers)
            self.paths.append(path)
            self.changed.notify_all()
            number = len(self.bodies)
        accepted = json.dumps({"itemsReceived": 1, "itemsAccepted": 1, "errors": []}).encode()
        return self.behave(number, body) or (200, {}, accepted if isinstance(body, list) else b"")


@contextmanager
def span_collector(behave: Callable[[int, Any], Reply | None] = lambda number, body: None) -> Iterator[SpanCollector]:
    """The endpoint, while the block runs."""
    collector = SpanCollector(behave)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            data = self.rfile.read(int(self.headers["Content-Length"]))
            names = {name.lower(): value for name, value in self.headers.items()}
            status, headers, answer = collector.take(self.path, names, data)
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(answer))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    class Server(ThreadingHTTPServer):
        def handle_error(self, request: Any, client_address: Any) -> None:
            """Whoever asked may be killed before the answer comes."""
            if not isinstance(sys.exception(), ConnectionError):
                super().handle_error(request, client_address)

    server = Server(("127.0.0.1", 0), Handler)
    collector.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield collector
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
