"""A request as a backend gets it."""

from __future__ import annotations

from collections.abc import Mapping

from flowyard.gateway.asked import Asked
from flowyard.gateway.settings import Backend, GatewaySettings
from flowyard.wire import OF_ONE_CONNECTION, Request, end_to_end

__all__ = ["Outgoing"]

_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})
_KEYS = frozenset({"authorization", "api-key"})


class Outgoing:
    """Writes requests out, without what is between two ends of one connection and without keys for the gateway."""

    def __init__(self, settings: GatewaySettings) -> None:
        hidden = {"host", "x-request-id", "traceparent", "x-flowyard-mirror"}
        if settings.key is not None:
            hidden |= _KEYS
        if settings.override is not None:
            hidden |= {settings.override.header, f"{settings.override.header}-key"}
        self._hidden = OF_ONE_CONNECTION | hidden
        self._hidden_with_keys = self._hidden | _KEYS

    def data(self, request: Request, asked: Asked, backend: Backend) -> bytes:
        """The whole request."""
        headers = self._headers(request.headers, asked, backend)
        if request.body or request.method in _WITH_BODY:
            headers["content-length"] = str(len(request.body))
        query = f"?{request.query_text}" if request.query_text else ""
        lines = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
        head = f"{request.method} {backend.prefix}{request.path}{query} HTTP/1.1\r\n{lines}\r\n"
        return head.encode("latin-1") + request.body

    def _headers(self, given: Mapping[str, str], asked: Asked, backend: Backend) -> dict[str, str]:
        hidden = self._hidden_with_keys if backend.key is not None else self._hidden
        headers = {"host": backend.authority, "x-request-id": asked.request_id, "traceparent": asked.trace}
        headers |= end_to_end(given, hidden)
        if "x-forwarded-host" not in headers and "host" in given:
            headers["x-forwarded-host"] = given["host"]
        if backend.key is not None:
            headers["authorization"] = f"Bearer {backend.key}"
        if asked.is_mirror:
            headers["x-flowyard-mirror"] = "1"
            state = headers.get("tracestate")
            headers["tracestate"] = f"flowyard=mirror,{state}" if state else "flowyard=mirror"
        return headers
