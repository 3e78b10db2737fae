"""Answers in the OpenAI wire format: whole bodies, and the chunks of a stream."""

from __future__ import annotations

import base64
import json
import math
import re
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

__all__ = [
    "FINGERPRINT",
    "HEADERS",
    "Answer",
    "Choice",
    "chat_body",
    "chunks",
    "completion_body",
    "count_tokens",
    "embedding_body",
    "error_body",
]

FINGERPRINT = "simulated"
HEADERS: Mapping[str, str] = {"x-flowyard-simulated": "true"}


@dataclass(frozen=True, slots=True)
class Answer:
    """What the simulated model says: an HTTP status, a JSON body and headers, ``latency_s`` seconds after it was asked.

    ``cut_off`` means that the connection breaks part-way, whether or not the answer is streamed.
    """

    status: int
    body: Mapping[str, Any]
    headers: Mapping[str, str] = field(default_factory=lambda: dict(HEADERS))
    latency_s: float = 0.0
    cut_off: bool = False


@dataclass(frozen=True, slots=True)
class Choice:
    """One choice: a text, or the ``(name, arguments)`` of the tools to call."""

    text: str | None
    tools: Sequence[tuple[str, Mapping[str, Any]]] = ()


def count_tokens(text: str) -> int:
    """A stand-in for a tokenizer: a quarter of the characters, rounded up."""
    return math.ceil(len(text) / 4)


def chat_body(key: str, model: str, choices: Sequence[Choice], usage: tuple[int, int], legacy: bool) -> dict[str, Any]:
    """A ``chat.completion``; ``legacy`` calls one function instead of tools. ``usage`` is prompt, completion tokens."""
    listed = [_chat_choice(key, index, choice, legacy) for index, choice in enumerate(choices)]
    return _body(f"chatcmpl-simulated-{key}", "chat.completion", model, listed, usage)


def completion_body(key: str, model: str, texts: Sequence[str], usage: tuple[int, int]) -> dict[str, Any]:
    """A ``text_completion``. ``usage`` is prompt, completion tokens."""
    listed = [
        {"index": index, "text": text, "logprobs": None, "finish_reason": "stop"} for index, text in enumerate(texts)
    ]
    return _body(f"cmpl-simulated-{key}", "text_completion", model, listed, usage)


def embedding_body(model: str, vectors: Sequence[Sequence[float]], tokens: int, encoding: str) -> dict[str, Any]:
    """A ``list`` of embeddings; ``encoding`` base64 packs little-endian 32-bit floats."""
    data = [
        {"object": "embedding", "index": index, "embedding": _packed(vector) if encoding == "base64" else list(vector)}
        for index, vector in enumerate(vectors)
    ]
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return {"object": "list", "data": data, "model": model, "system_fingerprint": FINGERPRINT, "usage": usage}


def error_body(message: str, kind: str, *, code: str | None = None, param: str | None = None) -> dict[str, Any]:
    """An OpenAI error object."""
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def chunks(answer: Answer) -> Iterator[dict[str, Any]]:
    """The stream of a successful chat or completion answer; its last chunk has ``usage`` and no choices.

    A cut-off answer ends after half of the chunks, without any finish reason.
    """
    pieces = list(_pieces(answer.body))
    yield from pieces[: max(1, len(pieces) // 2)] if answer.cut_off else pieces


def _body(name: str, kind: str, model: str, choices: list[dict[str, Any]], usage: tuple[int, int]) -> dict[str, Any]:
    prompt, completion = usage
    return {
        "id": name,
        "object": kind,
        "created": 0,
        "model": model,
        "system_fingerprint": FINGERPRINT,
        "choices": choices,
        "usage": {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion},
    }


def _chat_choice(key: str, index: int, choice: Choice, legacy: bool) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": choice.text, "refusal": None}
    calls = [{"name": name, "arguments": json.dumps(given, ensure_ascii=False)} for name, given in choice.tools]
    reason = "stop"
    if calls and legacy:
        message["function_call"] = calls[0]
        reason = "function_call"
    elif calls:
        message["tool_calls"] = [
            {"id": f"call_{key[:16]}_{index}_{number}", "type": "function", "function": call}
            for number, call in enumerate(calls)
        ]
        reason = "tool_calls"
    return {"index": index, "message": message, "logprobs": None, "finish_reason": reason}


def _packed(vector: Sequence[float]) -> str:
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()


def _pieces(body: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    chat = body["object"] == "chat.completion"
    kind = "chat.completion.chunk" if chat else "text_completion"
    head = {**{name: body[name] for name in ("id", "created", "model", "system_fingerprint")}, "object": kind}
    for choice in body["choices"]:
        for piece in _chat_pieces(choice) if chat else _text_pieces(choice):
            yield {**head, "choices": [{"index": choice["index"], "logprobs": None, **piece}], "usage": None}
    yield {**head, "choices": [], "usage": body["usage"]}


def _chat_pieces(choice: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    message = choice["message"]
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": "" if message["content"] is not None else None}]
    deltas += [{"content": word} for word in _words(message["content"] or "")]
    deltas += [{"tool_calls": [{"index": number, **call}]} for number, call in enumerate(message.get("tool_calls", []))]
    if "function_call" in message:
        deltas.append({"function_call": message["function_call"]})
    yield from ({"delta": delta, "finish_reason": None} for delta in deltas)
    yield {"delta": {}, "finish_reason": choice["finish_reason"]}


def _text_pieces(choice: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    yield from ({"text": word, "finish_reason": None} for word in _words(choice["text"]))
    yield {"text": "", "finish_reason": choice["finish_reason"]}


def _words(text: str) -> list[str]:
    return re.findall(r"\s*\S+|\s+", text)
