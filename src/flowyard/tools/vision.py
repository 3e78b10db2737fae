"""The vision tools: a chat prompt in which ``![image]({{photo}})`` shows the model a picture."""

from __future__ import annotations

from typing import Any

from flowyard.llm.chat_prompt import ChatPrompt
from flowyard.llm.connection import AzureOpenAIConnection, Connection, OpenAIConnection, SimulatedConnection
from flowyard.llm.model_call import ask, ask_in_pieces
from flowyard.llm.parameters import build_request, split_inputs
from flowyard.llm.services import Services

__all__ = ["azure_chat", "llm_vision", "openai_chat"]

_OPENAI_MODEL = "gpt-4-vision-preview"
"""What prompt flow's OpenAI tool asks when a node names no model."""


async def azure_chat(
    services: Services,
    picture_prompt: ChatPrompt,
    connection: AzureOpenAIConnection | SimulatedConnection,
    deployment_name: str,
    detail: str = "auto",
    stream: bool = False,
    **inputs: Any,
) -> Any:
    """The answer's text. ``detail`` (``low``, ``high`` or ``auto``) is how closely the model looks at each picture.

    ``inputs`` are parameters of the API and template variables. Raises UserError, ProviderError, ValueError from Jinja.
    """
    return await _ask(
        services, picture_prompt, connection, detail, stream, {"deployment_name": deployment_name, **inputs}
    )


async def openai_chat(
    services: Services,
    picture_prompt: ChatPrompt,
    connection: OpenAIConnection | SimulatedConnection,
    model: str = _OPENAI_MODEL,
    detail: str = "auto",
    stream: bool = False,
    **inputs: Any,
) -> Any:
    """As ``azure_chat``, for OpenAI."""
    return await _ask(services, picture_prompt, connection, detail, stream, {"model": model, **inputs})


async def llm_vision(
    services: Services,
    picture_prompt: ChatPrompt,
    connection: AzureOpenAIConnection | OpenAIConnection | SimulatedConnection,
    detail: str = "auto",
    stream: bool = False,
    **inputs: Any,
) -> Any:
    """As ``azure_chat``, for both; an Azure connection needs ``deployment_name``, an OpenAI one ``model``."""
    return await _ask(services, picture_prompt, connection, detail, stream, inputs)


async def _ask(
    services: Services, prompt: ChatPrompt, connection: Connection, detail: str, stream: bool, inputs: dict[str, Any]
) -> Any:
    parameters, variables = split_inputs("chat", inputs)
    request = build_request(connection, "chat", parameters, prompt.picture_messages(variables, detail=detail))
    if stream:
        return ask_in_pieces(services, connection, "chat", request)
    return await ask(services, connection, "chat", request)
