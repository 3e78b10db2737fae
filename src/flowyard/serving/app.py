"""The HTTP application of one flow."""

from __future__ import annotations

import hmac
import json
import uuid
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from aiohttp import web

from flowyard.engine.runner import LineRunner
from flowyard.errors import UserError
from flowyard.media import as_base64
from flowyard.records import LineTask
from flowyard.serving.answer import (
    accepts_events,
    accepts_json,
    error_answer,
    error_of_line,
    events,
    joined_streams,
    json_answer,
)
from flowyard.serving.schema import openapi, shown_outputs
from flowyard.serving.settings import ServingSettings

__all__ = ["make_app"]

_OPEN_ROUTES = frozenset({"/health"})
_REQUEST_ID = ("x-request-id", "x-ms-client-request-id")

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def make_app(runner: LineRunner, settings: ServingSettings) -> web.Application:
    """``/score``, ``/health``, ``/version`` and ``/swagger.json`` for a prepared flow."""
    app = web.Application(client_max_size=settings.largest_body, middlewares=[_guard])
    service = app[_SERVICE] = _Service(runner, settings)
    app.on_response_prepare.append(_mark)
    app.router.add_post("/score", service.score)
    app.router.add_get("/health", service.health)
    app.router.add_get("/version", service.version)
    app.router.add_get("/swagger.json", service.schema)
    return app


class _Service:
    """The handlers and what they share."""

    def __init__(self, runner: LineRunner, settings: ServingSettings) -> None:
        self.runner = runner
        self.settings = settings
        self.outputs = shown_outputs(runner.flow, settings.included_fields)

    async def score(self, request: web.Request) -> web.StreamResponse:
        """Run the flow on the body of the request."""
        accept = request.headers.get("Accept", "")
        if not (accepts_json(accept) or accepts_events(accept)):
            return error_answer(406, f"The answer is JSON or text/event-stream, not {accept}.")
        try:
            inputs = self._inputs(await request.read())
        except UserError as error:
            return error_answer(400, str(error))
        line = await self.runner.run_line(LineTask(0, inputs, from_network=True), stream=accepts_events(accept))
        if line.error:
            return error_of_line(line.error)
        outputs = self._shown(line.outputs, is_bare=line.is_bare)
        if accepts_events(accept):
            return await self._stream(request, outputs)
        whole = await joined_streams(outputs)
        return json_answer(whole["output"] if line.is_bare else whole, secrets=self.runner.secrets())

    async def _stream(self, request: web.Request, outputs: Mapping[str, Any]) -> web.StreamResponse:
        headers = {"Content-Type": "text/event-stream", "Cache-Control": "no-cache"}
        response = web.StreamResponse(headers=headers)
        await response.prepare(request)
        async for event in events(outputs, self.runner.secrets()):
            await response.write(event)
        await response.write_eof()
        return response

    def _inputs(self, body: bytes) -> dict[str, Any]:
        """The flow's inputs: a JSON object, or plain text for a flow with one input. Raises UserError."""
        names = list(self.runner.flow.inputs)
        if not names:
            return {}
        try:
            values = json.loads(body)
        except ValueError:
            if len(names) == 1:
                return {names[0]: body.decode("utf-8", "replace")}
            raise UserError(f"The body must be a JSON object with: {', '.join(names)}.") from None
        if not isinstance(values, dict):
            raise UserError(f"The body must be a JSON object, not {type(values).__name__}.")
        return values

    def _shown(self, outputs: Mapping[str, Any], *, is_bare: bool) -> dict[str, Any]:
        names = self.outputs if self.runner.flow.outputs and not is_bare else list(outputs)
        form = self.runner.flow.message_format
        return {name: as_base64(outputs[name], form) for name in names if name in outputs}

    async def health(self, _request: web.Request) -> web.StreamResponse:
        """Alive: it answers without looking at the flow."""
        return json_answer({"status": "Healthy", "version": self.settings.version})

    async def version(self, _request: web.Request) -> web.StreamResponse:
        """What is served."""
        body = {"status": "Healthy", "build_info": self.settings.build, "version": self.settings.version}
        return json_answer(body)

    async def schema(self, _request: web.Request) -> web.StreamResponse:
        """The OpenAPI description."""
        return json_answer(openapi(self.runner.flow, self.outputs))


_SERVICE = web.AppKey("service", _Service)


@web.middleware
async def _guard(request: web.Request, handler: _Handler) -> web.StreamResponse:
    """Ask for the key, give every request an id, and answer every failure in prompt flow's shape."""
    given = next((request.headers[name] for name in _REQUEST_ID if request.headers.get(name)), "")
    request[_REQUEST_ID[0]] = given[:200] or str(uuid.uuid4())
    if not _may_pass(request):
        return error_answer(401, "The key is missing or wrong: send it as 'Authorization: Bearer KEY'.")
    try:
        response = await handler(request)
    except web.HTTPRequestEntityTooLarge as error:
        response = error_answer(413, f"The body is too large: {error.text}")
    except web.HTTPException as error:
        response = error_answer(error.status, f"{error.reason}: {request.method} {request.path}")
    return response


async def _mark(request: web.Request, response: web.StreamResponse) -> None:
    """Every answer carries the request's id, and says so when a simulated model is behind it."""
    response.headers[_REQUEST_ID[0]] = request.get(_REQUEST_ID[0], "")
    if request.app[_SERVICE].runner.is_simulated:
        response.headers["x-flowyard-simulated"] = "true"


def _may_pass(request: web.Request) -> bool:
    key = request.app[_SERVICE].settings.key
    if key is None or request.path in _OPEN_ROUTES:
        return True
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    return scheme.lower() == "bearer" and hmac.compare_digest(given.strip().encode(), key.encode())
