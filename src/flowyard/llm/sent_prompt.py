"""A request to a model as a person reads it: each message under its role. It is kept with the node that asked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flowyard.records import ModelRequest

__all__ = ["sent_prompt"]

_MOST_LETTERS = 20_000


def sent_prompt(request: ModelRequest) -> str:
    """The messages, or the text of a completion, shortened at 20,000 characters; empty for embeddings.

    Pictures and other parts that are not text are named only.
    """
    if request.operation == "embedding":
        return ""
    messages = request.body.get("messages")
    text = "\n\n".join(map(_message, messages)) if isinstance(messages, list) else _text(request.body.get("prompt"))
    if len(text) <= _MOST_LETTERS:
        return text
    return f"{text[:_MOST_LETTERS]}… {len(text) - _MOST_LETTERS:,} more characters"


def _message(message: Any) -> str:
    if not isinstance(message, Mapping):
        return _text(message)
    calls = message.get("tool_calls")
    called = "".join(f"\n[calls {_called(call)}]" for call in calls) if isinstance(calls, list) else ""
    return f"{message.get('role', '')}:\n{_text(message.get('content'))}{called}"


def _called(call: Any) -> str:
    function = call.get("function") if isinstance(call, Mapping) else None
    return f"{function.get('name')} {function.get('arguments')}" if isinstance(function, Mapping) else "a tool"


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "\n".join(map(_part, content))
    return "" if content is None else str(content)


def _part(part: Any) -> str:
    if not isinstance(part, Mapping):
        return str(part)
    text = part.get("text")
    return text if isinstance(text, str) else f"[{str(part.get('type', 'part')).removesuffix('_url')}]"
