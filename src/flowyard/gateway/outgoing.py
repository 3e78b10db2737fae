"""A request as a backend gets it."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from flowyard.gateway.asked import Asked
from flowyard.gateway.forwarded import FORWARDED, FORWARDED_OTHERS, Forwarded, spellings
from flowyard.gateway.plain_requests import HOST, OWN_NAMES, PlainRequest, forwarded_of, keys_of
from flowyard.gateway.settings import Backend, GatewaySettings
from flowyard.wire import OF_ONE_CONNECTION, Request, end_to_end

__all__ = ["Outgoing"]

_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})
_KEYS = frozenset({"authorization", "api-key"})
_NOTHING: Mapping[str, str] = MappingProxyType({})


class Outgoing:
    """Writes requests out, without what is between two ends of one connection and without keys for the gateway."""

    def __init__(self, settings: GatewaySettings) -> None:
        hidden = spellings((*OWN_NAMES, *FORWARDED))
        if settings.key is not None:
            hidden |= _KEYS
        if settings.override is not None:
            hidden |= {settings.override.header, f"{settings.override.header}-key"}
        self._hidden = OF_ONE_CONNECTION | hidden
        self._hidden_with_others = self._hidden | spellings(FORWARDED_OTHERS)
        self._hides_keys = settings.key is not None
        self.forwarded = Forwarded(settings.trusted_proxies)
        self._own = {name: _own_lines(backend) for name, backend in settings.backends.items()}

    def data(self, request: Request, asked: Asked, backend: Backend) -> bytes:
        """The whole request."""
        headers = self._headers(request, asked, backend)
        if request.body or request.method in _WITH_BODY:
            headers["content-length"] = str(len(request.body))
        query = f"?{request.query_text}" if request.query_text else ""
        lines = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
        head = f"{request.method} {backend.prefix}{request.path}{query} HTTP/1.1\r\n{lines}\r\n"
        return head.encode("latin-1") + request.body

    def plain_data(self, plain: PlainRequest, body: bytes, peer: str, asked: Asked, backend: Backend) -> bytes:
        """The same for one whose lines pass as they came."""
        first, (method, target), lines, values, has_more = plain
        prefix, own = self._own[backend.name]
        if prefix:
            first = b"%b %b%b HTTP/1.1" % (method, prefix, target)
        forwarded = _NOTHING
        if has_more:
            forwarded = forwarded_of(values)
            if not self._hides_keys and backend.key is None:
                lines += [f"{name}: {value}".encode("ascii") for name, value in keys_of(values).items()]
        names = f"x-request-id: {asked.request_id}\r\ntraceparent: {asked.trace}"
        places = self.forwarded.lines(forwarded, peer, values[HOST])
        return b"\r\n".join((first, *lines, names.encode("ascii"), own, places, b"", body))

    def _headers(self, request: Request, asked: Asked, backend: Backend) -> dict[str, str]:
        given = request.headers
        hidden = self._hidden if self.forwarded.is_trusted(request.peer) else self._hidden_with_others
        if backend.key is not None:
            hidden |= _KEYS
        headers = {"host": backend.authority, "x-request-id": asked.request_id, "traceparent": asked.trace}
        headers |= end_to_end(given, hidden)
        headers |= self.forwarded.headers(given, request.peer, given.get("host", ""))
        if backend.key is not None:
            headers["authorization"] = f"Bearer {backend.key}"
        if asked.is_mirror:
            headers["x-flowyard-mirror"] = "1"
            state = headers.get("tracestate")
            headers["tracestate"] = f"flowyard=mirror,{state}" if state else "flowyard=mirror"
        return headers


def _own_lines(backend: Backend) -> tuple[bytes, bytes]:
    """The prefix, and the lines that are the same for all requests."""
    key = f"\r\nauthorization: Bearer {backend.key}" if backend.key is not None else ""
    return backend.prefix.encode("latin-1"), f"host: {backend.authority}{key}".encode("latin-1")
