"""``POST /score``: the flow with the body of a request as its inputs."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Mapping
from typing import Any

from flowyard.engine.stream import TextStream
from flowyard.llm.services import count_usage
from flowyard.records import LineResult
from flowyard.serving.answer import (
    EVENTS,
    accepts_events,
    accepts_json,
    error_of_line,
    event,
    joined_streams,
    json_answer,
    pieces,
)
from flowyard.serving.exchange import Exchange
from flowyard.serving.service import Service, exchange_of
from flowyard.wire import Refusal, Request, Response

__all__ = ["completed_line", "followed", "score"]


async def score(service: Service, request: Request) -> Response:
    """The outputs as JSON, or as events to who asks for events."""
    accept = request.headers.get("accept", "")
    streams = accepts_events(accept)
    if not (streams or accepts_json(accept)):
        raise Refusal(406, f"The answer is JSON or {EVENTS}, not {accept}.")
    exchange = exchange_of(request)
    line = await completed_line(service, exchange, _inputs(service, request.body), stream=streams)
    shown = service.shown(line)
    if streams:
        response = Response(200, _events(service, request, exchange, shown), EVENTS, {"cache-control": "no-cache"})
    else:
        whole = await joined_streams(shown)
        exchange.outputs = whole
        response = json_answer(whole["output"] if line.is_bare else whole, secrets=service.runner.secrets())
        service.ended(exchange, 200)
    response.headers["x-request-id"] = exchange.request_id
    response.headers["traceparent"] = exchange.trace.header
    return response


async def completed_line(
    service: Service, exchange: Exchange, inputs: Mapping[str, Any], *, stream: bool
) -> LineResult:
    """A line without an error. Raises Refusal."""
    line = await service.run(exchange, inputs, stream=stream)
    if line.error:
        refusal = error_of_line(line.error)
        service.ended(exchange, refusal.status, refusal.message, count=False)
        raise refusal
    return line


def _inputs(service: Service, body: bytes) -> dict[str, Any]:
    """The flow's inputs: a JSON object, or plain text for a flow with one input. Raises Refusal."""
    names = list(service.runner.flow.inputs)
    if not names:
        return {}
    try:
        values = json.loads(body)
    except (ValueError, RecursionError):
        if len(names) == 1:
            return {names[0]: body.decode("utf-8", "replace")}
        raise Refusal(400, f"The body must be a JSON object with: {', '.join(names)}.") from None
    if not isinstance(values, dict):
        raise Refusal(400, f"The body must be a JSON object, not {type(values).__name__}.")
    return values


async def _events(
    service: Service, request: Request, exchange: Exchange, shown: Mapping[str, Any]
) -> AsyncGenerator[bytes, None]:
    """An event for all outputs that are complete and one for each piece of a stream.

    A failure in mid-stream becomes an event called ``error``, so that a caller can tell it from the end.
    """
    secrets = service.runner.secrets()
    try:
        async for piece in followed(service, request, exchange, shown):
            yield event(piece, secrets)
    except Refusal as refusal:
        body = {"error": {"code": "UserError" if refusal.status < 500 else "SystemError", "message": refusal.message}}
        yield event(body, secrets, name="error")


async def followed(
    service: Service, request: Request, exchange: Exchange, shown: Mapping[str, Any]
) -> AsyncGenerator[dict[str, Any], None]:
    """The pieces of an answer, noted in the exchange, which ends with them. Raises Refusal for what cuts them off."""
    streams = any(isinstance(value, TextStream) for value in shown.values())
    texts: dict[str, Any] = {}
    status, failure = _LEFT, None
    with count_usage() as count:
        try:
            async for piece in pieces(request, shown):
                for name, value in piece.items():
                    texts[name] = texts[name] + str(value) if name in texts else value
                if exchange.first_piece_s is None:
                    exchange.first_piece_s = round(exchange.latency_s, 6)
                yield piece
            status = 200
        except Refusal as refusal:
            status, failure = refusal.status, refusal.message
            raise
        except (asyncio.CancelledError, GeneratorExit):
            failure = "the caller left"
            raise
        except Exception as error:  # the rest of a flow's code runs here, and may raise anything
            status, failure = 400, f"{type(error).__name__}: {error}"
            raise Refusal(400, failure) from None
        finally:
            if streams:
                service.lines.stream_ended()
            exchange.outputs, exchange.usage = texts, exchange.usage + count.total
            service.ended(exchange, status, failure)


_LEFT = 499
