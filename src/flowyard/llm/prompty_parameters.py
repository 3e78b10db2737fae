"""From a prompty's ``parameters`` to a request, which gets them as they are, and from the answer to a result."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any, Literal

from flowyard.errors import LineError, ProviderError, UserError
from flowyard.records import ModelRequest

__all__ = ["asks_for_stream", "build_prompty_request", "first_choice", "json_answer", "stream_piece"]

_ABOUT_THE_CALL = frozenset({"model", "stream", "timeout", "extra_headers", "extra_body", "extra_query"})
"""Parameters of the vendors' Python clients that are not sent in the body, or not as they are."""


def build_prompty_request(
    api: str,
    model: str,
    parameters: Mapping[str, Any],
    prompt: str | list[dict[str, Any]],
    timeout_s: float | None = None,
) -> ModelRequest:
    """The request: messages for ``chat``, text for ``completion``, and every parameter verbatim.

    With ``tools`` the choice among them defaults to ``auto``, as with ``functions``. Raises UserError for parameters of
    the Python clients that cannot be honoured.
    """
    operation: Literal["chat", "completion"] = "completion" if api == "completion" else "chat"
    if parameters.get("extra_query"):
        raise UserError("The model parameter 'extra_query' is not supported.", hint="Put it into the address.")
    body = {name: value for name, value in parameters.items() if name not in _ABOUT_THE_CALL}
    body["messages" if operation == "chat" else "prompt"] = prompt
    if "tools" in body:
        body["tool_choice"] = body.get("tool_choice") or "auto"
    elif "functions" in body:
        body["function_call"] = body.get("function_call") or "auto"
    body.update(_mapping(parameters, "extra_body"))
    headers = {str(name): str(value) for name, value in _mapping(parameters, "extra_headers").items()}
    timeout_s = parameters.get("timeout") if timeout_s is None else timeout_s
    return ModelRequest(operation, model, body, _seconds(timeout_s), headers)


def asks_for_stream(parameters: Mapping[str, Any]) -> bool:
    """Whether the answer is to arrive in pieces."""
    return bool(parameters.get("stream"))


def first_choice(api: str, body: Mapping[str, Any]) -> str | dict[str, Any] | None:
    """The text of the first choice, or its whole message when the model calls tools or a function.

    Raises ProviderError when the answer has no choice.
    """
    choices = body.get("choices")
    first = choices[0] if isinstance(choices, list) and choices else None
    if not isinstance(first, Mapping):
        raise ProviderError("The model's answer has no choices.")
    if api == "completion":
        return _text(first.get("text"))
    message = first.get("message")
    if not isinstance(message, Mapping):
        raise ProviderError("The model's answer has no message.")
    # A forced tool is called with the finish reason 'stop', so the message itself has to be asked.
    calls = message.get("tool_calls") or message.get("function_call")
    return dict(message) if calls else _text(message.get("content"))


def json_answer(text: str | None, outputs: Collection[str]) -> Any:
    """The JSON that a model was asked for, of an object with ``outputs`` only those keys.

    Raises LineError when the text is not JSON or a key is missing.
    """
    try:
        value = json.loads(text or "")
    except ValueError as error:
        shown = " ".join((text or "").split())[:60]
        raise LineError(f"The model's answer is not JSON: {error}. It starts: {shown!r}") from None
    if not outputs:
        return value
    if not isinstance(value, dict):
        raise LineError(f"The model's answer is a JSON {type(value).__name__}, not an object with the outputs.")
    missing = [name for name in outputs if name not in value]
    if missing:
        raise LineError(f"The model's answer lacks {', '.join(map(repr, missing))}; it has: {', '.join(value)}.")
    return {name: value[name] for name in outputs}


def stream_piece(api: str, chunk: Mapping[str, Any]) -> str:
    """The text that one chunk adds to the first choice; empty when it adds none."""
    choices = chunk.get("choices")
    listed = [choice for choice in choices if isinstance(choice, Mapping)] if isinstance(choices, list) else []
    first = next((choice for choice in listed if not choice.get("index")), {})
    return str((first.get("text") if api == "completion" else (first.get("delta") or {}).get("content")) or "")


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def _mapping(parameters: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = parameters.get(name) or {}
    if not isinstance(value, Mapping):
        raise UserError(f"The model parameter {name!r} must be a mapping.")
    return value


def _seconds(value: Any) -> float | None:
    try:
        seconds = None if value is None else float(value)
    except (TypeError, ValueError):
        seconds = -1.0
    if seconds is not None and not seconds > 0:
        raise UserError(f"'timeout' must be a number of seconds, not {value!r}.")
    return seconds
