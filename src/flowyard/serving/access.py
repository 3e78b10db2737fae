"""Who may ask: a key, or programs and pages of this machine."""

from __future__ import annotations

import base64
import hmac

from flowyard._util.listen import is_loopback
from flowyard.wire import Refusal, Request

__all__ = ["require_access"]


def require_access(request: Request, key: str | None, *, behind_gateway: bool = False) -> None:
    """Raises Refusal, 401 without the key and 403 for what a page of another site makes a browser ask.

    Behind a gateway that lets nobody through unchecked, requests need no key and come under the gateway's name.
    """
    if key is None and behind_gateway:
        return
    given = _given(request) if key is not None else None
    if key is not None and (given is None or not hmac.compare_digest(given[0], key.encode())):
        raise Refusal(401, "The key is missing or wrong: send it as 'Authorization: Bearer KEY' or 'api-key: KEY'.")
    if given is None or given[1]:  # what a browser sends by itself, it sends for every page
        _require_own_page(request, names_too=key is None)


def _given(request: Request) -> tuple[bytes, bool] | None:
    """The key that came, and whether a browser adds it by itself."""
    if "api-key" in request.headers:
        return request.headers["api-key"].encode(), False
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return value.strip().encode(), False
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(value.strip(), validate=True).partition(b":")[2], True
        except ValueError:  # no base64, or no ASCII
            return None
    return None


def _require_own_page(request: Request, *, names_too: bool) -> None:
    """Refuse other sites' pages; with ``names_too`` other names, which someone may have pointed to this machine."""
    host = request.headers.get("host", "").lower()
    origin = request.headers.get("origin")
    if origin is not None and origin.partition("://")[2].lower() != host:
        raise Refusal(403, "Pages of other sites may not use this server.")
    if request.headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
        raise Refusal(403, "Pages of other sites may not use this server.")
    if names_too and host and is_loopback(request.local[0]) and not _is_own(host):
        raise Refusal(403, f"This server is not called {host}.")


def _is_own(host: str) -> bool:
    name = host if host.endswith("]") else host.rpartition(":")[0] or host
    return is_loopback(name)
