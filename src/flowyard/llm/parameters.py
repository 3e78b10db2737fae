"""The inputs of an LLM node: which go to the API, in what form, and what the answer is worth to the flow."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

from flowyard._util.suggest import did_you_mean
from flowyard.errors import ProviderError, UserError
from flowyard.llm.connection import AzureOpenAIConnection, Connection, ServerlessConnection, SimulatedConnection
from flowyard.records import ModelReply, ModelRequest, Usage

__all__ = [
    "APIS",
    "CHAT_PARAMETERS",
    "COMPLETION_PARAMETERS",
    "COMPLETION_TOKENS",
    "NOTED_USAGE",
    "Api",
    "build_request",
    "note_in_chunk",
    "read_piece",
    "read_result",
    "read_usage",
    "require_api",
    "split_inputs",
    "wants_stream",
]

Api = Literal["chat", "completion"]
APIS: tuple[Api, ...] = ("chat", "completion")

_Kind = Literal["text", "number", "whole", "flag", "json"]
_SHARED: Mapping[str, _Kind] = {
    "deployment_name": "text",
    "model": "text",
    "temperature": "number",
    "top_p": "number",
    "n": "whole",
    "stop": "json",
    "max_tokens": "whole",
    "presence_penalty": "number",
    "frequency_penalty": "number",
    "logit_bias": "json",
    "user": "text",
    "stream": "flag",
    "extra_body": "json",
}
CHAT_PARAMETERS: Mapping[str, _Kind] = {
    **_SHARED,
    "function_call": "json",
    "functions": "json",
    "tool_choice": "json",
    "tools": "json",
    "response_format": "json",
    "seed": "whole",
    "max_completion_tokens": "whole",
    "reasoning_effort": "text",
}
"""The inputs that a chat node sends to the API. The last two are newer than prompt flow."""
COMPLETION_PARAMETERS: Mapping[str, _Kind] = {
    **_SHARED,
    "suffix": "text",
    "logprobs": "whole",
    "echo": "flag",
    "best_of": "whole",
}
"""The inputs that a completion node sends to the API."""

NOTED_USAGE = "flowyard_usage"
"""The key of a chunk that holds what we know of its usage; an endpoint must not set it."""

COMPLETION_TOKENS = 16
"""The ``max_tokens`` of a completion node that says nothing; not every server has the same default."""

_MUST_BE_STRUCTURED = frozenset({"functions", "tools", "logit_bias", "extra_body"})
_NOT_IN_THE_BODY = frozenset({"deployment_name", "model", "stream"})

_EMPTY_MESSAGE: Mapping[str, Any] = {"role": "assistant", "content": None, "function_call": None, "tool_calls": None}
"""What flows read from a message by key, whether or not the model called a function."""


def require_api(api: str) -> Api:
    """The API of that name. Raises UserError when prompt flow has none."""
    for known in APIS:
        if api == known:
            return known
    raise UserError(f"An LLM node has no api {api!r}.", hint=did_you_mean(api, APIS) or "Use 'chat' or 'completion'.")


def split_inputs(api: str, inputs: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """A node's inputs as ``(API parameters, template variables)``. Raises UserError for an unknown api."""
    known = _parameters(require_api(api))
    parameters = {name: value for name, value in inputs.items() if name in known}
    variables = {name: value for name, value in inputs.items() if name not in known}
    return parameters, variables


def wants_stream(parameters: Mapping[str, Any]) -> bool:
    """Whether the parameters ask for a streamed answer."""
    return bool(_coerce("stream", "flag", parameters.get("stream") or False))


def build_request(
    connection: Connection,
    api: str,
    parameters: Mapping[str, Any],
    prompt: str | Sequence[Mapping[str, Any]],
) -> ModelRequest:
    """The request for a rendered prompt: text for ``completion``, messages for ``chat``.

    Texts become the numbers, flags or JSON that the API expects; empty values are left out, so the endpoint's own
    defaults apply; what ``extra_body`` holds goes into the body as it is. Raises UserError for a missing model or a bad
    value.
    """
    operation = require_api(api)
    known = _parameters(operation)
    body: dict[str, Any] = {
        "messages" if operation == "chat" else "prompt": prompt if isinstance(prompt, str) else list(prompt)
    }
    for name, given in parameters.items():
        value = _coerce(name, known.get(name), given)
        if name not in _NOT_IN_THE_BODY and not _is_empty(value):
            body[name] = value
    body |= _extra(body.pop("extra_body", {}))
    if operation == "chat":
        _settle_tools(body)
        if not isinstance(connection, AzureOpenAIConnection):
            body.pop("n", None)  # only the first choice is ever read
    if wants_stream(parameters) and _calls_functions(body):
        raise UserError("An answer with tools or functions cannot be streamed.", hint="Remove 'stream' or the tools.")
    return ModelRequest(operation, _model(connection, parameters), body)


def _extra(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise UserError(f"The model parameter 'extra_body' must be a mapping, not {str(value)[:60]!r}.")
    return value


def read_result(api: str, request: ModelRequest, reply: ModelReply) -> str | dict[str, Any] | None:
    """What the node returns: the first choice's text, or its whole message when tools or functions were given.

    Raises ProviderError when the answer has no choice.
    """
    choices = reply.body.get("choices")
    first = choices[0] if isinstance(choices, list) and choices else None
    if not isinstance(first, Mapping):
        raise ProviderError("The model's answer has no choices.")
    if require_api(api) == "completion":
        return _text(first.get("text"))
    message = first.get("message")
    if not isinstance(message, Mapping):
        raise ProviderError("The model's answer has no message.")
    return {**_EMPTY_MESSAGE, **message} if _calls_functions(request.body) else _text(message.get("content"))


def read_piece(api: str, chunk: Mapping[str, Any]) -> str | None:
    """The text that one chunk of a streamed answer adds; None when it adds none."""
    choices = chunk.get("choices")
    first = choices[0] if isinstance(choices, list) and choices else None
    if not isinstance(first, Mapping):
        return None
    piece = first.get("text") if require_api(api) == "completion" else (first.get("delta") or {}).get("content")
    return None if piece is None else str(piece)


def read_usage(body: Mapping[str, Any], *, simulated: bool = False) -> Usage:
    """One call's usage from an answer, or from the last chunk of a stream; missing counts are 0.

    What ``note_in_chunk`` put there counts too.
    """
    usage = body.get("usage") or {}
    made_up = simulated or bool(body.get("flowyard_simulated"))
    prompt, completion = usage.get("prompt_tokens") or 0, usage.get("completion_tokens") or 0
    found = Usage(calls=1, prompt_tokens=prompt, completion_tokens=completion, simulated_calls=int(made_up))
    noted = body.get(NOTED_USAGE)
    return replace(found, **noted) if isinstance(noted, dict) else found


def note_in_chunk(chunk: Mapping[str, Any], usage: Mapping[str, float]) -> dict[str, Any]:
    """The chunk of a stream with fields of ``Usage`` that only we know, for ``read_usage`` to find."""
    return {**chunk, NOTED_USAGE: {**(chunk.get(NOTED_USAGE) or {}), **usage}}


def _parameters(api: Api) -> Mapping[str, _Kind]:
    return CHAT_PARAMETERS if api == "chat" else COMPLETION_PARAMETERS


def _model(connection: Connection, parameters: Mapping[str, Any]) -> str:
    deployment, model = (str(parameters.get(name) or "") for name in ("deployment_name", "model"))
    if isinstance(connection, SimulatedConnection):
        return deployment or model or "simulated"
    azure = isinstance(connection, AzureOpenAIConnection)
    chosen = deployment if azure else model
    if not chosen and not isinstance(connection, ServerlessConnection):
        needed, other = ("deployment_name", model) if azure else ("model", deployment)
        raise UserError(
            f"A node with the {connection.type} connection {connection.name!r} needs the input {needed!r}.",
            hint=f"Set {needed}: {other or 'NAME'} in the node's inputs.",
        )
    return chosen


def _settle_tools(body: dict[str, Any]) -> None:
    """Tools win over functions, and a choice without anything to choose from is refused by the API."""
    if "tools" in body:
        body.pop("functions", None)
    else:
        body.pop("tool_choice", None)
    if "functions" not in body:
        body.pop("function_call", None)


def _calls_functions(body: Mapping[str, Any]) -> bool:
    return bool(body.get("tools") or body.get("functions"))


def _is_empty(value: Any) -> bool:
    return value is None or value == "" or (isinstance(value, list | dict) and not value)


def _coerce(name: str, kind: _Kind | None, value: Any) -> Any:
    if value is None or value == "" or kind is None:
        return value
    try:
        return _as_kind(name, kind, value)
    except (TypeError, ValueError, OverflowError, KeyError):
        wanted = {"number": "a number", "whole": "a whole number", "flag": "true or false", "json": "JSON"}
        raise UserError(f"The model parameter {name!r} must be {wanted[kind]}, not {str(value)[:60]!r}.") from None


def _as_kind(name: str, kind: _Kind, value: Any) -> Any:
    if kind == "text":
        return str(value)
    if kind == "number":
        return float(value)
    if kind == "whole":
        return _whole(value)
    if kind == "flag":
        return _flag(value)
    return _structure(name, value)


def _whole(value: Any) -> int | None:
    number = float(value)
    if math.isinf(number):
        return None  # prompt flow's way to say "no limit"
    if not number.is_integer():
        raise ValueError(value)
    return int(value) if isinstance(value, int) else int(number)


def _flag(value: Any) -> bool:
    if isinstance(value, str):
        return {"true": True, "1": True, "false": False, "0": False}[value.strip().lower()]
    return bool(value)


def _structure(name: str, value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        if name in _MUST_BE_STRUCTURED:
            raise
        return value  # 'auto', or a single stop sequence


def _text(value: Any) -> str | None:
    return None if value is None else str(value)
