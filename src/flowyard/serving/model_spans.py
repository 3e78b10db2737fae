"""The span of a model call by OpenTelemetry's conventions for generative AI."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from flowyard._util.files import dump_json
from flowyard.llm.call_log import ModelCall
from flowyard.spans import Failure, Span

__all__ = ["call_span"]

_OPERATIONS = {"chat": "chat", "completion": "text_completion", "embedding": "embeddings"}
_PROVIDERS = {"open_ai": "openai", "azure_open_ai": "azure.ai.openai", "serverless": "azure.ai.inference"}
_PARAMETERS = {
    "temperature": "gen_ai.request.temperature",
    "top_p": "gen_ai.request.top_p",
    "frequency_penalty": "gen_ai.request.frequency_penalty",
    "presence_penalty": "gen_ai.request.presence_penalty",
    "max_tokens": "gen_ai.request.max_tokens",
    "max_completion_tokens": "gen_ai.request.max_tokens",
    "seed": "gen_ai.request.seed",
    "n": "gen_ai.request.choice.count",
}


def call_span(call: ModelCall, trace: str, span: str, parent: str, end_ns: int, *, has_content: bool) -> Span:
    """The call as a span below ``parent``; one that has not ended reaches to ``end_ns``."""
    finish_ns = call.started_ns + call.duration_ns if call.duration_ns is not None else max(end_ns, call.started_ns)
    operation = _OPERATIONS[call.request.operation]
    failure = Failure(call.error, call.message) if call.error else None
    facts = {**_asked(call, operation), **_answered(call), **(_content(call) if has_content else {})}
    if call.error:
        facts["error.type"] = call.error
    name = f"{operation} {call.request.model}"
    return Span(trace, span, parent, name, "client", call.started_ns, finish_ns, facts, failure)


def _asked(call: ModelCall, operation: str) -> dict[str, Any]:
    body = call.request.body
    found: dict[str, Any] = {
        "gen_ai.operation.name": operation,
        "gen_ai.provider.name": _PROVIDERS.get(call.connection, call.connection),
        "gen_ai.request.model": call.request.model,
    }
    host, _, port = call.address.rpartition(":")
    if host and port.isdigit():
        found |= {"server.address": host, "server.port": int(port)}
    elif call.address:
        found["server.address"] = call.address
    if call.node:
        found["flowyard.node"] = call.node
    found |= {name: body[key] for key, name in _PARAMETERS.items() if isinstance(body.get(key), int | float)}
    stop = body.get("stop")
    if stop:
        found["gen_ai.request.stop_sequences"] = [stop] if isinstance(stop, str) else stop
    return found


def _answered(call: ModelCall) -> dict[str, Any]:
    answer, usage = call.answer, call.usage
    found: dict[str, Any] = {}
    if answer.get("id"):
        found["gen_ai.response.id"] = str(answer["id"])
    if answer.get("model"):
        found["gen_ai.response.model"] = str(answer["model"])
    reasons = [str(each["finish_reason"]) for each in _choices(answer) if each.get("finish_reason")]
    if reasons:
        found["gen_ai.response.finish_reasons"] = reasons
    if usage.calls or usage.cached_calls:
        found["gen_ai.usage.input_tokens"] = usage.prompt_tokens
        found["gen_ai.usage.output_tokens"] = usage.completion_tokens
        found["flowyard.cost_usd"] = usage.cost_usd
        found["flowyard.simulated"] = usage.simulated_calls > 0
        found["flowyard.cached"] = usage.cached_calls > 0
    if call.first_chunk_ns is not None:
        found["flowyard.first_piece_s"] = call.first_chunk_ns / 1e9
    return found


def _content(call: ModelCall) -> dict[str, str]:
    body = call.request.body
    given = body.get("messages")
    asked = given if isinstance(given, list) else [{"role": "user", "content": body.get("prompt") or body.get("input")}]
    found = {"gen_ai.input.messages": dump_json([_message(each) for each in asked if isinstance(each, Mapping)])}
    said = [
        {
            **_message(choice.get("message") or {"role": "assistant", "content": choice.get("text")}),
            "finish_reason": str(choice.get("finish_reason") or ""),
        }
        for choice in _choices(call.answer)
    ]
    return {**found, "gen_ai.output.messages": dump_json(said)} if said else found


def _choices(answer: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    choices = answer.get("choices")
    return [each for each in choices if isinstance(each, Mapping)] if isinstance(choices, list) else []


def _message(message: Mapping[str, Any]) -> dict[str, Any]:
    return {"role": str(message.get("role") or "user"), "parts": list(_parts(message))}


def _parts(message: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Texts and calls of tools; pictures are named, not sent."""
    content = message.get("content")
    if message.get("role") == "tool":
        yield {"type": "tool_call_response", "id": str(message.get("tool_call_id", "")), "response": content}
    elif isinstance(content, str):
        yield {"type": "text", "content": content}
    elif isinstance(content, list):
        for part in content:
            is_text = isinstance(part, Mapping) and isinstance(part.get("text"), str)
            kind = str(part.get("type", "part")) if isinstance(part, Mapping) else "part"
            yield {"type": "text", "content": part["text"] if is_text else f"[{kind.removesuffix('_url')}]"}
    for call in message.get("tool_calls") or ():
        function = call.get("function") if isinstance(call, Mapping) else None
        if isinstance(function, Mapping):
            named = {"id": str(call.get("id", "")), "name": str(function.get("name", ""))}
            yield {"type": "tool_call", **named, "arguments": function.get("arguments")}
