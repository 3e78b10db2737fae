"""The LLM tool: a language model asked through an LLM node that is a package tool."""

from __future__ import annotations

from typing import Any

from flowyard.llm.chat_prompt import ChatPrompt
from flowyard.llm.connection import AzureOpenAIConnection, OpenAIConnection, ServerlessConnection, SimulatedConnection
from flowyard.llm.model_call import PromptCall
from flowyard.llm.services import Services

__all__ = ["ModelConnection", "llm"]

ModelConnection = AzureOpenAIConnection | OpenAIConnection | ServerlessConnection | SimulatedConnection


async def llm(
    services: Services,
    prompt: ChatPrompt,
    connection: ModelConnection,
    api: str = "chat",
    stream: bool = False,
    **inputs: Any,
) -> Any:
    """What an LLM node gives for the same inputs; with ``stream``, the answer's text in pieces.

    ``inputs`` are parameters of the API (``deployment_name``, ``temperature`` and so on) and template variables. Raises
    UserError, ProviderError, ValueError from Jinja.
    """
    call = PromptCall(services, connection, api, prompt)
    return call.pieces(inputs) if stream else await call.answer(inputs)
