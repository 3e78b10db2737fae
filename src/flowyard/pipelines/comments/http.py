"""Requests with a token to the API of a CI system: never to another host, and never shown with the token."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.client import HTTPException
from typing import Any
from urllib.parse import urlsplit

from flowyard._util.listen import is_loopback
from flowyard.errors import OutsideError, UserError
from flowyard.pipelines.comments.model import NotPermitted

__all__ = ["TokenApi"]

_TIMEOUT_S = 30
_MOST_BYTES = 32 << 20


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """The token is for one host: who redirects gets no second request."""

    def redirect_request(self, *_: Any) -> None:
        return None


@dataclass(frozen=True, slots=True)
class TokenApi:
    """An API below ``base``. ``variable`` is where its token comes from, for messages."""

    base: str
    token: str = field(repr=False)
    variable: str
    headers: Mapping[str, str] = field(default_factory=dict)

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """The JSON of the answer. Raises NotPermitted for 403 and 404, OutsideError for all that is not 2xx."""
        parts = urlsplit(self.base)
        if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(parts.hostname or "")):
            raise UserError(f"The token of {self.variable} is sent over https only, not to {parts.scheme}://….")
        data = None if body is None else json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {self.token}", "User-Agent": "flowyard", **self.headers}
        if data is not None:
            headers["Content-Type"] = "application/json"
        request = urllib.request.Request(f"{self.base.rstrip('/')}{path}", data, headers, method=method)  # noqa: S310
        try:
            with urllib.request.build_opener(_NoRedirect()).open(request, timeout=_TIMEOUT_S) as answer:
                return self._parsed(answer.status, answer.read(_MOST_BYTES))
        except urllib.error.HTTPError as error:
            with error:
                self._refused(error)
        except (OSError, HTTPException) as error:
            reason = getattr(error, "reason", None) or type(error).__name__
            raise OutsideError(f"{parts.netloc} does not answer: {reason}.", hint="Try again.") from None

    def _parsed(self, status: int, content: bytes) -> Any:
        if status == 203:  # what Azure DevOps answers with its page for signing in
            raise NotPermitted("the token is not accepted")
        try:
            return json.loads(content) if content.strip() else None
        except ValueError:
            raise OutsideError(f"{urlsplit(self.base).netloc} answered with what is no JSON.") from None

    def _refused(self, error: urllib.error.HTTPError) -> None:
        limited = error.headers.get("Retry-After") or error.headers.get("X-RateLimit-Remaining") == "0"
        if error.code in (403, 404) and not limited:
            raise NotPermitted(f"status {error.code}")
        hint = f"Is {self.variable} a token that holds?" if error.code == 401 else "Try again later."
        raise OutsideError(f"{urlsplit(self.base).netloc} answered with status {error.code}.", hint=hint)
