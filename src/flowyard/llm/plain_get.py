"""One request for a JSON document, synchronous, following no redirect."""

from __future__ import annotations

import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Answer", "NoAnswer", "get_json"]

_TIMEOUT_S = 10.0
_MOST_BYTES = 1 << 20


class NoAnswer(Exception):
    """Nothing came back."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back; ``body`` is its JSON, or None when it is none. It may hold secrets."""

    status: int
    body: Any = field(repr=False)
    retry_after_s: float | None = None


def get_json(
    address: str, headers: Mapping[str, str] | None = None, *, method: str = "GET", ca_file: str | None = None
) -> Answer:
    """Ask an http:// or https:// address once; ``method`` is POST, without a body, where an API has secrets so.

    Raises NoAnswer.
    """
    # Imported here because it brings TLS and e-mail with it, and hardly anybody has such an endpoint.
    from urllib.error import HTTPError  # noqa: PLC0415
    from urllib.request import HTTPRedirectHandler, HTTPSHandler, Request, build_opener  # noqa: PLC0415

    class NoRedirect(HTTPRedirectHandler):
        """A redirect could lead secrets' requests elsewhere: it is an answer like any other error."""

        def redirect_request(self, *_: Any, **__: Any) -> None:
            return None

    every = {"Accept": "application/json", **(headers or {})}
    data = b"" if method == "POST" else None
    request = Request(address, data, every, method=method)  # noqa: S310 - see above
    try:
        trust = [HTTPSHandler(context=ssl.create_default_context(cafile=ca_file))] if ca_file else []
        with build_opener(NoRedirect(), *trust).open(request, timeout=_TIMEOUT_S) as response:
            return Answer(response.status, _parsed(response.read(_MOST_BYTES)))
    except HTTPError as error:
        with error:
            return Answer(error.code, _parsed(error.read(_MOST_BYTES)), _seconds(error.headers.get("Retry-After")))
    except (OSError, ValueError):  # ValueError: what is no HTTP, or an address that cannot be one
        raise NoAnswer from None


def _parsed(content: bytes) -> Any:
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return None


def _seconds(text: str | None) -> float | None:
    return float(text) if text and text.isascii() and text.isdigit() else None
