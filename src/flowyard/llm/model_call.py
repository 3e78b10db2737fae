"""One prompt asked of one model, with what a node or a tool gives: parameters of the API and template variables."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

from flowyard.llm.chat_prompt import ChatPrompt
from flowyard.llm.connection import AzureOpenAIConnection, Connection
from flowyard.llm.messages import RoleEscapes, parse_chat
from flowyard.llm.parameters import build_request, read_piece, read_result, split_inputs
from flowyard.llm.prompt_text import PromptText
from flowyard.llm.services import Services
from flowyard.records import ModelRequest

__all__ = ["GIVEN_PROMPT", "PromptCall", "ask", "ask_in_pieces"]

GIVEN_PROMPT = "prompt"
"""The input that holds a whole prompt, in place of the template."""


async def ask(services: Services, connection: Connection, api: str, request: ModelRequest) -> Any:
    """The first choice: its text, or its message when tools or functions were given. Raises ProviderError."""
    return read_result(api, request, await services.call(connection, request))


async def ask_in_pieces(
    services: Services, connection: Connection, api: str, request: ModelRequest
) -> AsyncIterator[str]:
    """The text of the first choice in pieces, as they come. Raises ProviderError."""
    async for chunk in services.stream(connection, request):
        piece = read_piece(api, chunk)
        if piece is not None:
            yield piece


@dataclass(frozen=True, slots=True)
class PromptCall:
    """A prompt, the model that is asked, and how: ``api`` is ``chat`` or ``completion``."""

    services: Services
    connection: Connection
    api: str
    prompt: ChatPrompt

    async def answer(self, inputs: Mapping[str, Any]) -> Any:
        """The model's answer. Raises UserError for inputs that are no request, ProviderError, ValueError from Jinja."""
        return await ask(self.services, self.connection, self.api, self.request(inputs))

    def pieces(self, inputs: Mapping[str, Any]) -> AsyncIterator[str]:
        """The answer's text in pieces. Raises as ``answer`` does, the model's errors at the first piece."""
        return ask_in_pieces(self.services, self.connection, self.api, self.request(inputs))

    def request(self, inputs: Mapping[str, Any]) -> ModelRequest:
        """What the model is sent for these inputs. Raises UserError, ValueError from Jinja."""
        parameters, variables = split_inputs(self.api, inputs)
        is_given = GIVEN_PROMPT in variables
        prompt = self._given(variables[GIVEN_PROMPT]) if is_given else self._rendered(variables)
        return build_request(self.connection, self.api, parameters, prompt)

    def _rendered(self, variables: Mapping[str, Any]) -> str | list[dict[str, Any]]:
        if self.api == "completion":
            return self.prompt.text(variables)
        return self.prompt.messages(variables, item_per_line=isinstance(self.connection, AzureOpenAIConnection))

    def _given(self, given: Any) -> str | list[dict[str, Any]]:
        """A prompt from elsewhere is taken as it is: rendered once more, data in it would be run as a template."""
        if self.api == "completion":
            return str(given)
        escapes = RoleEscapes()
        if not isinstance(given, PromptText):
            return parse_chat(str(given), escapes=escapes)
        escapes.adopt(given.escapes)
        return parse_chat(given.escaped, escapes=escapes)
