"""A chat flow as a model of OpenAI's API: ``POST /v1/chat/completions`` and ``GET /v1/models``."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import AsyncGenerator, Mapping
from typing import Any

from flowyard.records import Usage
from flowyard.serving.answer import EVENTS, event, joined_streams, json_answer
from flowyard.serving.chat_messages import chat_inputs
from flowyard.serving.exchange import Exchange
from flowyard.serving.score import completed_line, followed
from flowyard.serving.service import Service, exchange_of
from flowyard.wire import Refusal, Request, Response

__all__ = ["chat_completions", "models"]

_DONE = b"data: [DONE]\n\n"
_TYPES = {401: "authentication_error", 429: "rate_limit_error"}


async def models(service: Service, _request: Request) -> Response:
    """The flow as the one model there is."""
    model = {"id": service.runner.flow.name, "object": "model", "created": 0, "owned_by": "flowyard"}
    return json_answer({"object": "list", "data": [model]})


async def chat_completions(service: Service, request: Request) -> Response:
    """The flow's answer to the last message, the earlier ones as its history; failures in OpenAI's shape."""
    exchange = exchange_of(request)
    try:
        response = await _completion(service, request, exchange)
    except Refusal as refusal:
        service.metrics.refused(request.path, refusal.status)
        response = json_answer(_error(refusal), refusal.status)
        if refusal.retry_after_s is not None:
            response.headers["retry-after"] = str(refusal.retry_after_s)
    response.headers["x-request-id"] = exchange.request_id
    response.headers["traceparent"] = exchange.trace.header
    return response


async def _completion(service: Service, request: Request, exchange: Exchange) -> Response:
    body = _body(request.body)
    streams = body.get("stream") is True
    chat = service.chat
    assert chat is not None
    inputs = chat_inputs(service.runner.flow, chat, body)
    line = await completed_line(service, exchange, inputs, stream=streams)
    shown = service.shown(line)
    name = chat.answer_in(shown)
    answer = {name: shown[name]} if name is not None else {}
    head = {"id": f"chatcmpl-{uuid.uuid4().hex}", "created": int(time.time()), "model": service.runner.flow.name}
    if streams:
        options = body.get("stream_options")
        tells_usage = isinstance(options, dict) and options.get("include_usage") is True
        chunks = _chunks(service, request, exchange, shown, name, head, tells_usage=tells_usage)
        return Response(200, chunks, EVENTS, {"cache-control": "no-cache"})
    whole = await joined_streams(answer)
    exchange.outputs = whole
    message = {"role": "assistant", "content": _text(whole.get(name or "")), "refusal": None}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
    reply = {**head, "object": "chat.completion", "choices": [choice], "usage": _usage(line.usage)}
    response = json_answer(reply, secrets=service.runner.secrets())
    service.ended(exchange, 200)
    return response


async def _chunks(
    service: Service,
    request: Request,
    exchange: Exchange,
    shown: Mapping[str, Any],
    name: str | None,
    head: Mapping[str, Any],
    *,
    tells_usage: bool,
) -> AsyncGenerator[bytes, None]:
    secrets = service.runner.secrets()

    def chunk(delta: Mapping[str, Any], reason: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}
        return event({**head, "object": "chat.completion.chunk", "choices": [choice]}, secrets)

    try:
        yield chunk({"role": "assistant", "content": ""})
        async for piece in followed(service, request, exchange, shown):
            if name in piece and (text := _text(piece[name])):
                yield chunk({"content": text})
        yield chunk({}, "stop")
    except Refusal as refusal:
        yield event(_error(refusal), secrets)
        return
    if tells_usage:
        usage = {**head, "object": "chat.completion.chunk", "choices": [], "usage": _usage(exchange.usage)}
        yield event(usage, secrets)
    yield _DONE


def _body(data: bytes) -> dict[str, Any]:
    try:
        body = json.loads(data)
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, dict):
        raise Refusal(400, "The body must be a JSON object.")
    if body.get("n") not in (None, 1):
        raise Refusal(400, "A flow gives one answer: n must be 1.")
    return body


def _text(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _usage(usage: Usage) -> dict[str, int]:
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.total_tokens,
    }


def _error(refusal: Refusal) -> dict[str, Any]:
    kind = _TYPES.get(refusal.status, "invalid_request_error" if refusal.status < 500 else "server_error")
    return {"error": {"message": refusal.message, "type": kind, "param": None, "code": None}}
