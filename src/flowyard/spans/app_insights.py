"""Spans as Application Insights' ingestion takes them: requests, dependencies and exceptions, each in an envelope."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from flowyard._util.files import dump_json
from flowyard.errors import UserError
from flowyard.spans.destination import Destination, Outcome
from flowyard.spans.span import Failure, Span

__all__ = ["ApplicationInsights"]

_ENDPOINT = "https://dc.services.visualstudio.com"
_AGAIN = frozenset({408, 429, 439, 500, 502, 503, 504})
_MOST_NAME, _MOST_KEY, _MOST_VALUE, _MOST_MESSAGE = 1024, 150, 8192, 32768
_ERROR = 3
_WRONG = 400


class ApplicationInsights(Destination):
    """The resource that a connection string names. Raises UserError for one that is none."""

    def __init__(self, connection_string: str, timeout_s: float, resource: Mapping[str, Any]) -> None:
        parts = dict(part.strip().partition("=")[::2] for part in connection_string.split(";") if part.strip())
        fields = {name.lower(): value for name, value in parts.items()}
        self._key = fields.get("instrumentationkey", "")
        endpoint = fields.get("ingestionendpoint") or _ENDPOINT
        if not self._key or urlsplit(endpoint).scheme not in ("http", "https"):
            raise UserError(
                "APPLICATIONINSIGHTS_CONNECTION_STRING is no connection string.",
                hint="It reads InstrumentationKey=…;IngestionEndpoint=https://…; the portal shows it on the overview.",
            )
        super().__init__(f"{endpoint.rstrip('/')}/v2.1/track", {}, timeout_s)
        named = {str(name): str(value) for name, value in resource.items()}
        role = named.get("service.name", "")
        space = named.get("service.namespace")
        self._tags = {
            "ai.cloud.role": f"{space}.{role}" if space else role,
            "ai.cloud.roleInstance": named.get("service.instance.id", ""),
            "ai.application.ver": named.get("service.version", ""),
            "ai.internal.sdkVersion": f"flowyard:{named.get('telemetry.sdk.version', '')}",
        }

    def body(self, spans: Sequence[Span]) -> tuple[bytes, Mapping[str, str]]:
        envelopes = [envelope for span in spans for envelope in self._envelopes(span)]
        return dump_json(envelopes).encode(), {"Content-Type": "application/json"}

    def outcome(self, status: int, answer: bytes, spans: Sequence[Span]) -> Outcome:
        if status in (200, 206):
            return self._partial(answer, spans)
        if status in _AGAIN:
            return Outcome(again=spans)
        return Outcome(len(spans))

    def _partial(self, answer: bytes, spans: Sequence[Span]) -> Outcome:
        """Some envelopes may be refused by themselves; a span goes again when all of its refusals may pass."""
        try:
            errors = json.loads(answer).get("errors") or []
            refused = {int(each["index"]): int(each["statusCode"]) for each in errors}
        except (ValueError, KeyError, TypeError, AttributeError):
            return Outcome()
        lost, again = 0, []
        first = 0
        for span in spans:
            size = 1 if span.failure is None else 2
            statuses = [refused[index] for index in range(first, first + size) if index in refused]
            first += size
            if statuses and all(status in _AGAIN for status in statuses):
                again.append(span)
            elif statuses:
                lost += 1
        return Outcome(lost, again)

    def _envelopes(self, span: Span) -> Iterator[dict[str, Any]]:
        yield self._envelope(span, *(_request(span) if span.kind == "server" else _dependency(span)))
        if span.failure is not None:
            yield self._envelope(span, *_exception(span, span.failure), inside=True)

    def _envelope(self, span: Span, kind: str, data: Mapping[str, Any], *, inside: bool = False) -> dict[str, Any]:
        parent = span.span if inside else span.parent
        tags = {**self._tags, "ai.operation.id": span.trace, "ai.operation.parentId": parent or ""}
        if span.kind == "server":
            tags["ai.operation.name"] = span.name[:_MOST_NAME]
        moment = span.end_ns if inside else span.start_ns
        return {
            "ver": 1,
            "name": f"Microsoft.ApplicationInsights.{kind.removesuffix('Data')}",
            "time": datetime.fromtimestamp(moment / 1e9, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            "iKey": self._key,
            "tags": {name: value for name, value in tags.items() if value},
            "data": {"baseType": kind, "baseData": {"ver": 2, **data}},
        }


def _request(span: Span) -> tuple[str, dict[str, Any]]:
    own = span.attributes
    status = int(own.get("http.response.status_code", 0))
    data = {
        **_timed(span),
        "success": span.failure is None and status < _WRONG,
        "responseCode": str(status),
        "url": _text(own.get("url.path", "")),
    }
    return "RequestData", data


def _dependency(span: Span) -> tuple[str, dict[str, Any]]:
    own = span.attributes
    provider = own.get("gen_ai.provider.name")
    target = str(own.get("server.address", ""))
    data = {
        **_timed(span),
        "type": "InProc" if span.kind == "internal" else f"GenAI | {provider}" if provider else "GenAI",
        "target": f"{target}:{own['server.port']}" if target and "server.port" in own else target,
        "resultCode": str(own.get("error.type", 0)),
    }
    return "RemoteDependencyData", data


def _exception(span: Span, failure: Failure) -> tuple[str, dict[str, Any]]:
    shown = {
        "typeName": failure.type[:_MOST_NAME],
        "message": (failure.message or failure.type)[:_MOST_MESSAGE],
        "hasFullStack": bool(failure.stack),
    }
    if failure.stack:
        shown["stack"] = failure.stack[:_MOST_MESSAGE]
    return "ExceptionData", {"exceptions": [shown], "severityLevel": _ERROR, "properties": _properties(span)}


def _timed(span: Span) -> dict[str, Any]:
    return {
        "id": span.span,
        "name": span.name[:_MOST_NAME],
        "duration": _duration(span.end_ns - span.start_ns),
        "success": span.failure is None,
        "properties": _properties(span),
    }


def _properties(span: Span) -> dict[str, str]:
    return {name[:_MOST_KEY]: _text(value) for name, value in span.attributes.items() if value is not None}


def _text(value: Any) -> str:
    text = value if isinstance(value, str) else dump_json(value)
    return text if len(text) <= _MOST_VALUE else f"{text[: _MOST_VALUE - 1]}…"


def _duration(nanoseconds: int) -> str:
    """``days.hours:minutes:seconds`` with six digits of a second."""
    length = timedelta(microseconds=max(0, nanoseconds // 1000))
    minutes, seconds = divmod(length.seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{length.days}.{hours:02}:{minutes:02}:{seconds:02}.{length.microseconds:06}"
