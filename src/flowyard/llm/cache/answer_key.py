"""What makes two model calls the same call."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from flowyard.llm.connection import Connection
from flowyard.records import ModelRequest

__all__ = ["connection_identity", "digest", "relevant_headers", "request_text"]

_IDENTIFYING = ("api_base", "base_url", "endpoint", "api_version", "api_type", "organization")
_OF_ONE_CALL = frozenset(
    {
        *("authorization", "api-key", "x-api-key", "cookie", "user-agent"),
        *("x-request-id", "x-client-request-id", "x-ms-client-request-id", "traceparent", "tracestate"),
        "idempotency-key",
    }
)
"""Headers that say who asks, or which attempt it is; the answer does not depend on them."""


def connection_identity(connection: Connection) -> list[Any]:
    """The service behind a connection: its type and where it is, without its secrets and its name."""
    return [connection.type, *(str(connection.get(field) or "") for field in _IDENTIFYING)]


def relevant_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers that may change an answer, in lower case and in order."""
    lower = {name.lower(): value for name, value in headers.items()}
    return {name: lower[name] for name in sorted(lower.keys() - _OF_ONE_CALL)}


def request_text(request: ModelRequest, *, stream: bool) -> str | None:
    """The request as one canonical text; None when it is not JSON and cannot be sent either.

    The body's own names are sorted. Deeper ones keep their order, because a model reads a schema in that order.
    """
    body = {name: request.body[name] for name in sorted(request.body, key=str)}
    parts = [request.operation, request.model, relevant_headers(request.headers), stream, body]
    try:
        return json.dumps(parts, ensure_ascii=False, separators=(",", ":"))
    except (TypeError, ValueError):
        return None


def digest(*parts: Any) -> bytes:
    """The SHA-256 of parts that JSON can say."""
    text = json.dumps(parts, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
