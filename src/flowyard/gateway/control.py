"""The control plane: what holds, and changing it, over REST on a listener of its own. Every route asks for the key."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

from flowyard.errors import FlowyardError
from flowyard.gateway.access import require_key
from flowyard.gateway.metrics import CONTENT_TYPE
from flowyard.gateway.weights import Weights
from flowyard.wire import Refusal, Request, Response, Route, Routes, WireLimits, WireServer, refused

__all__ = ["ControlPlane"]

_BODY_BYTES = 64 * 1024
_MOST_EPOCHS = 1000


class ControlPlane:
    """``state`` and ``metrics`` say what is now; close it in the end."""

    def __init__(
        self, key: str, weights: Weights, state: Callable[[], dict[str, Any]], metrics: Callable[[], str]
    ) -> None:
        self._key = key
        self._weights = weights
        self._state = state
        self._metrics = metrics
        self.routes = Routes(
            [
                Route("GET", "/v1/gateway", self._show),
                Route("PUT", "/v1/gateway/weights", self._set_weights),
                Route("POST", "/v1/gateway/drain", self._drain),
                Route("GET", "/v1/gateway/epochs", self._epochs),
                Route("GET", "/metrics", self._show_metrics),
            ]
        )
        self._server = WireServer(
            self._handle, refused, WireLimits(body_bytes=_BODY_BYTES, connections=64), before_body=self._before_body
        )

    async def listen(self, host: str, port: int) -> tuple[str, int]:
        """Begin; gives the address. Raises OSError."""
        return await self._server.listen(host, port)

    async def close(self) -> None:
        await self._server.drain(1.0)

    async def _handle(self, request: Request) -> Response:
        try:
            return await self._route(request).handler(request)
        except Refusal as refusal:
            return refused(refusal)
        except FlowyardError as error:
            text = f"{error.message} {error.hint}" if error.hint else error.message
            return refused(Refusal(error.http_status, text))
        except OSError as error:
            return refused(Refusal(500, f"The epoch cannot be written down: {error.strerror}."))

    def _route(self, request: Request) -> Route:
        """The route, for who has the key; others do not learn which there are."""
        require_key(request, self._key)
        return self.routes.find(request)

    def _before_body(self, request: Request) -> Response | None:
        try:
            self._route(request)
        except Refusal as refusal:
            return refused(refusal)
        return None

    async def _show(self, _request: Request) -> Response:
        return _json(self._state())

    async def _epochs(self, _request: Request) -> Response:
        return _json({"epochs": await asyncio.to_thread(self._weights.views, _MOST_EPOCHS)})

    async def _show_metrics(self, _request: Request) -> Response:
        return Response(200, self._metrics().encode(), CONTENT_TYPE)

    async def _set_weights(self, request: Request) -> Response:
        body = _body(request, {"weights": dict, "reason": str, "epoch": int})
        given = body.get("weights")
        if given is None or not all(_is_number(each) for each in given.values()):
            raise Refusal(400, "weights must be an object with a number for each backend.")
        epoch = await self._weights.set(given, body.get("reason", ""), epoch=body.get("epoch"))
        return _json(epoch.view())

    async def _drain(self, request: Request) -> Response:
        body = _body(request, {"backend": str, "reason": str})
        if "backend" not in body:
            raise Refusal(400, "backend must say which one.")
        await self._weights.drain(body["backend"], body.get("reason", ""))
        return _json(self._state())


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _body(request: Request, known: dict[str, type]) -> dict[str, Any]:
    """The body's fields, each of its type. Raises Refusal, 400."""
    try:
        body = json.loads(request.body)
    except (ValueError, RecursionError):
        raise Refusal(400, "The body must be JSON.") from None
    if not isinstance(body, dict):
        raise Refusal(400, "The body must be a JSON object.")
    for name, value in body.items():
        if name not in known:
            raise Refusal(400, f"Known fields are {', '.join(known)}.")
        if not isinstance(value, known[name]) or isinstance(value, bool):
            raise Refusal(400, f"{name} has the wrong type.")
    return body


def _json(value: Any) -> Response:
    return Response(200, json.dumps(value).encode())
