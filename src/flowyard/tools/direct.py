"""The tools for code that calls them itself, without a flow's node: plain calls that wait for the answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, TypeVar

from flowyard._util.aio import iterate_blocking, run_blocking
from flowyard.errors import UserError
from flowyard.llm.chat_prompt import ChatPrompt
from flowyard.llm.connection import AzureOpenAIConnection, Connection, OpenAIConnection, ServerlessConnection
from flowyard.llm.model_call import PromptCall
from flowyard.llm.parameters import wants_stream
from flowyard.llm.services import Services
from flowyard.llm.template import parse_template, render
from flowyard.tools import vision

__all__ = [
    "ask_model",
    "ask_vision_model",
    "build_messages",
    "client_settings",
    "pass_through",
    "render_text",
]

F = TypeVar("F", bound=Callable[..., Any])

_LABEL = "prompt"
_FROM_OUTSIDE = "_inputs_to_escape"
"""By this name prompt flow tells a tool which of its arguments hold foreign text."""


def ask_model(services: Services, connection: Connection, api: str, prompt: str, inputs: Mapping[str, Any]) -> Any:
    """What an LLM node gives for a template's text; with a true ``stream`` among the inputs, a generator of texts.

    Raises UserError, ProviderError, ValueError from Jinja.
    """
    chat_prompt, values = _prompt(prompt, inputs)
    call = PromptCall(services, connection, api, chat_prompt)
    if not wants_stream(values):
        return run_blocking(call.answer(values))
    return iterate_blocking(call.pieces(values))


def ask_vision_model(services: Services, connection: Connection, prompt: str, inputs: Mapping[str, Any]) -> Any:
    """As ``ask_model``, for a chat prompt that shows pictures."""
    chat_prompt, values = _prompt(prompt, inputs)
    stream = wants_stream(values)
    values.pop("stream", None)
    call = vision.llm_vision(services, chat_prompt.showing_pictures(), connection, stream=stream, **values)  # type: ignore[arg-type]
    answer = run_blocking(call)
    return iterate_blocking(answer) if stream else answer


def build_messages(prompt: str, images: Any = None, image_detail: str = "auto", **inputs: Any) -> list[dict[str, Any]]:
    """The chat messages of a template's text; pictures among the inputs are shown when ``images`` lists any."""
    chat_prompt, values = _prompt(prompt, inputs)
    if images:
        return chat_prompt.showing_pictures().picture_messages(values, detail=image_detail)
    return chat_prompt.messages(values)


def render_text(template: str, **values: Any) -> str:
    """A template's text rendered in the sandbox. Raises UserError for a bad template, ValueError from Jinja."""
    for setting in ("trim_blocks", "keep_trailing_newline", "escape_dict"):
        values.pop(setting, None)  # prompt flow's own switches, which are always on
    return render(parse_template(template, _LABEL), values)


def client_settings(connection: Connection) -> dict[str, Any]:
    """What the ``openai`` package's clients take, from a connection to a language model. Raises UserError."""
    if isinstance(connection, AzureOpenAIConnection):
        address = {"api_version": connection.api_version, "azure_endpoint": connection.api_base}
        if connection.api_key:
            return {"max_retries": 0, "api_key": connection.api_key, **address}
        return {"max_retries": 0, "azure_ad_token_provider": connection.get_token, **address}
    if isinstance(connection, OpenAIConnection):
        where = {"organization": connection.organization, "base_url": connection.base_url}
        return {"max_retries": 0, "api_key": connection.api_key, **where}
    if isinstance(connection, ServerlessConnection):
        base = f"{str(connection.api_base).rstrip('/').removesuffix('/v1')}/v1"
        return {"max_retries": 0, "api_key": connection.api_key, "base_url": base}
    raise UserError(f"Connection {connection.name!r} is {connection.type}, for which the openai package has no client.")


def pass_through(*_settings: Any, **_more: Any) -> Callable[[F], F]:
    """A decorator that changes nothing: models are asked again by flowyard itself."""

    def decorate(function: F) -> F:
        @wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            return function(*args, **kwargs)

        return call  # type: ignore[return-value]

    return decorate


def _prompt(template: str, inputs: Mapping[str, Any]) -> tuple[ChatPrompt, dict[str, Any]]:
    values = dict(inputs)
    outside = frozenset(values.pop(_FROM_OUTSIDE, None) or ())
    return ChatPrompt(parse_template(template, _LABEL), outside), values
