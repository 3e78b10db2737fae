"""Who may ask, who may choose an arm, and what is answered to others."""

from __future__ import annotations

import hmac
from collections.abc import Mapping

from flowyard.gateway.asked import Asked
from flowyard.gateway.settings import OverrideSettings
from flowyard.wire import Refusal, Request

__all__ = ["has_key", "overridden_arm", "require_key"]


def require_key(request: Request, key: str) -> None:
    """Raises Refusal, 401, without the key."""
    if not has_key(request.headers, key):
        raise Refusal(401, "The key is missing or wrong: send it as 'Authorization: Bearer KEY' or 'api-key: KEY'.")


def has_key(headers: Mapping[str, str], key: str) -> bool:
    """Whether headers show the key; takes as long whatever is wrong with it."""
    given = headers.get("api-key")
    if given is None:
        scheme, _, value = headers.get("authorization", "").partition(" ")
        given = value.strip() if scheme.lower() == "bearer" else ""
    return hmac.compare_digest(given.encode("utf-8", "surrogateescape"), key.encode())


def overridden_arm(request: Request, asked: Asked, settings: OverrideSettings) -> str | None:
    """The arm that a tester asks for; None when nobody does, or somebody who may not."""
    wanted = request.headers.get(settings.header)
    if not wanted:
        return None
    if asked.unit_from != "request" and not asked.session and asked.unit in settings.allow:
        return wanted
    given = request.headers.get(f"{settings.header}-key", "").encode("utf-8", "surrogateescape")
    if settings.key is not None and hmac.compare_digest(given, settings.key.encode()):
        return wanted
    return None
