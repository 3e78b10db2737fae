"""The simulated model as an HTTP server that OpenAI and Azure OpenAI clients can talk to."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from aiohttp import web

from flowyard._util.files import dump_json
from flowyard._util.listen import listen_until_stopped
from flowyard.simulation.questions import Operation
from flowyard.simulation.rules import load_rules
from flowyard.simulation.simulator import Simulator
from flowyard.simulation.wire import HEADERS, Answer, chunks, error_body

__all__ = ["make_app", "run_server"]

_SIMULATOR = web.AppKey("simulator", Simulator)
_PREFIXES = ("", "/v1", "/openai/v1", "/openai/deployments/{deployment}")
_PATHS: Mapping[str, Operation] = {
    "chat/completions": "chat",
    "completions": "completion",
    "embeddings": "embedding",
}
_LARGEST_BODY = 64 * 1024 * 1024  # prompts may carry images
_MODEL = {"id": "simulated", "object": "model", "created": 0, "owned_by": "flowyard"}

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def make_app(simulator: Simulator) -> web.Application:
    """An application that answers the OpenAI and Azure OpenAI paths, ``/health``, ``/stats`` and ``/stats/reset``."""
    app = web.Application(client_max_size=_LARGEST_BODY, middlewares=[_errors_as_json])
    app[_SIMULATOR] = simulator
    app.on_response_prepare.append(_mark_simulated)
    for prefix in _PREFIXES:
        for path, operation in _PATHS.items():
            app.router.add_post(f"{prefix}/{path}", _asking(operation))
    for path in ("/v1/models", "/openai/v1/models", "/models"):
        app.router.add_get(path, _list_models)
    app.router.add_get("/health", _health)
    app.router.add_get("/stats", _stats)
    app.router.add_post("/stats/reset", _reset_stats)
    return app


def run_server(
    rules_path: Path | str,
    host: str = "127.0.0.1",
    port: int = 0,
    seed: int | None = None,
    ready_file: Path | str | None = None,
) -> None:
    """Serve until SIGINT or SIGTERM; port 0 takes a free one. Says where on one line of standard output.

    ``ready_file`` receives the URL once the server accepts connections. Raises UserError for a bad rules file and for
    an address that cannot be used.
    """
    simulator = Simulator(load_rules(rules_path, seed))
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(
            listen_until_stopped(
                make_app(simulator),
                host,
                port,
                say="Simulated model on {} (OpenAI: /v1, Azure: /openai)".format,
                ready_file=Path(ready_file) if ready_file else None,
            )
        )


def _asking(operation: Operation) -> _Handler:
    async def ask(request: web.Request) -> web.StreamResponse:
        try:
            body = await request.json(loads=json.loads)
        except ValueError:
            return _json(400, error_body("The request body is not valid JSON.", "invalid_request_error"))
        if not isinstance(body, dict):
            return _json(400, error_body("The request body must be a JSON object.", "invalid_request_error"))
        if "deployment" in request.match_info:
            body["model"] = request.match_info["deployment"]
        answer = request.app[_SIMULATOR].answer(operation, body)
        await asyncio.sleep(answer.latency_s)
        if answer.status == 200 and body.get("stream") and operation != "embedding":
            return await _send_stream(request, answer, with_usage=_wants_usage(body))
        return (
            await _send_cut_off(request, answer)
            if answer.cut_off
            else _json(answer.status, answer.body, answer.headers)
        )

    return ask


def _wants_usage(body: Mapping[str, Any]) -> bool:
    options = body.get("stream_options")
    return isinstance(options, dict) and bool(options.get("include_usage"))


async def _send_stream(request: web.Request, answer: Answer, *, with_usage: bool) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-cache"})
    await response.prepare(request)
    for chunk in chunks(answer):
        if chunk["choices"] or with_usage:
            await response.write(f"data: {dump_json(_shown(chunk, with_usage))}\n\n".encode("utf-8", "replace"))
    if answer.cut_off:
        _break_connection(request)
        return response
    await response.write(b"data: [DONE]\n\n")
    await response.write_eof()
    return response


def _shown(chunk: dict[str, Any], with_usage: bool) -> dict[str, Any]:
    return chunk if with_usage else {name: value for name, value in chunk.items() if name != "usage"}


async def _send_cut_off(request: web.Request, answer: Answer) -> web.StreamResponse:
    text = json.dumps(answer.body).encode()
    response = web.StreamResponse(headers={"Content-Type": "application/json", "Content-Length": str(len(text))})
    await response.prepare(request)
    await response.write(text[: len(text) // 2])
    _break_connection(request)
    return response


def _break_connection(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.close()


@web.middleware
async def _errors_as_json(request: web.Request, handler: _Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except web.HTTPException as error:
        message = f"{error.reason}: {request.method} {request.path}"
        return _json(error.status, error_body(message, "invalid_request_error"))


async def _mark_simulated(_request: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(HEADERS)


async def _list_models(_request: web.Request) -> web.StreamResponse:
    return _json(200, {"object": "list", "data": [_MODEL]})


async def _health(_request: web.Request) -> web.StreamResponse:
    return _json(200, {"status": "ok", "simulated": True})


async def _stats(request: web.Request) -> web.StreamResponse:
    return _json(200, request.app[_SIMULATOR].stats())


async def _reset_stats(request: web.Request) -> web.StreamResponse:
    request.app[_SIMULATOR].reset_stats()
    return await _stats(request)


def _json(status: int, body: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> web.Response:
    return web.json_response(dict(body), status=status, headers=headers)
