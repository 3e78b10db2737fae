"""Asking a gateway's control plane."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any

from flowyard.errors import Conflict, NotFound, OutsideError, UserError

__all__ = ["ControlClient"]

_TIMEOUT_S = 30.0
_ERRORS: Mapping[int, type[UserError]] = {404: NotFound, 409: Conflict}


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_args: Any, **_options: Any) -> None:
        """The key goes to one address only."""


class ControlClient:
    """``url`` is the control plane's address. Methods raise UserError for what it refuses, OutsideError without it."""

    def __init__(self, url: str, key: str) -> None:
        self._url = url.rstrip("/")
        self._key = key
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirects())

    def state(self) -> dict[str, Any]:
        """What holds now, and what each backend does."""
        return self._ask("GET", "/v1/gateway")

    def epochs(self) -> list[dict[str, Any]]:
        """The last epochs, oldest first."""
        found: list[dict[str, Any]] = self._ask("GET", "/v1/gateway/epochs")["epochs"]
        return found

    def set_weights(
        self, weights: Mapping[str, float], reason: str = "", *, epoch: int | None = None
    ) -> dict[str, Any]:
        """Begin an epoch. With ``epoch`` only when that one still holds, else Conflict."""
        body: dict[str, Any] = {"weights": dict(weights), "reason": reason}
        return self._ask("PUT", "/v1/gateway/weights", body if epoch is None else {**body, "epoch": epoch})

    def drain(self, backend: str, reason: str = "") -> dict[str, Any]:
        """Send nothing more to a backend; gives the state, whose ``under_way`` of it goes to 0."""
        return self._ask("POST", "/v1/gateway/drain", {"backend": backend, "reason": reason})

    def _ask(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        data = None if body is None else json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {self._key}", "Content-Type": "application/json"}
        request = urllib.request.Request(self._url + path, data=data, headers=headers, method=method)  # noqa: S310
        try:
            with self._opener.open(request, timeout=_TIMEOUT_S) as answer:
                found: dict[str, Any] = json.loads(answer.read())
                return found
        except urllib.error.HTTPError as error:
            with error:
                raise _refusal(error.code, error.read(64 * 1024)) from None
        except (OSError, ValueError) as error:
            hint = "Is it running? flowyard gateway serve --config gateway.yaml"
            raise OutsideError(f"The control plane at {self._url} does not answer: {error}", hint=hint) from None


def _refusal(status: int, body: bytes) -> Exception:
    try:
        message = str(json.loads(body)["error"]["message"])
    except (ValueError, KeyError, TypeError):
        message = "it says no more"
    if status == 401:
        hint = "The key is the one of 'control' in gateway.yaml, as it was when the gateway was started."
        return UserError("The gateway does not take this key.", hint=hint)
    if status >= 500:
        return OutsideError(f"The control plane failed with {status}: {message}")
    return _ERRORS.get(status, UserError)(message)
