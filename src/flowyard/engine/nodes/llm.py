"""LLM nodes: a template, a connection and the parameters of the model's API."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

from flowyard.engine.nodes.prompt import literals_of, names_from_outside, require_free_name, require_free_variables
from flowyard.engine.step import Step
from flowyard.engine.stream import TextStream
from flowyard.errors import UserError
from flowyard.flows.model import InputRef, Node, NodeRef
from flowyard.llm import build_request, read_piece, read_result, split_inputs
from flowyard.llm.chat_prompt import ChatPrompt
from flowyard.llm.connection import AzureOpenAIConnection, Connection
from flowyard.llm.parameters import CHAT_PARAMETERS, COMPLETION_PARAMETERS
from flowyard.llm.services import Services
from flowyard.llm.template import PromptFile, load_template, parse_template
from flowyard.records import ModelRequest

__all__ = ["prepare_llm"]

_PROMPT = "prompt"
"""The input that replaces the node's template."""

# A prompt from elsewhere is shown as it is: rendered once more, data in it would be run as a template.
_GIVEN = parse_template("{{ prompt }}", _PROMPT)


def prepare_llm(node: Node, folder: Path, services: Services) -> Step:
    """Resolve the node's template and connection. Raises UserError, ConnectionMissing."""
    require_free_name(node, {"template"})
    assert node.connection is not None
    assert node.source_path is not None
    connection = services.connections.get(node.connection, needed_by=f"Node {node.name!r} ({node.where})")
    if not connection.is_model:
        message = f"Node {node.name!r} needs a language model, but connection {node.connection!r} is {connection.type}."
        raise UserError(message, where=node.where)
    literals = literals_of(node)
    streams = _check_parameters(node, connection, literals)
    services.provider(connection)  # a provider that cannot be opened is found before the first line
    call = _LlmCall(node, _template_of(node, folder, literals), connection, services)
    return Step(
        node,
        call,
        "engine loop",
        literals=literals,
        warnings=call.prompt.template.holes(node.inputs, node.name),
        stream=call.stream if streams else None,
    )


def _template_of(node: Node, folder: Path, literals: Mapping[str, Any]) -> PromptFile:
    """The node's file, unless an input called ``prompt`` replaces it: a literal one is a template as well."""
    assert node.source_path is not None
    file = load_template(folder / node.source_path)
    reserved = COMPLETION_PARAMETERS if node.api == "completion" else CHAT_PARAMETERS
    require_free_variables(node, file, {_PROMPT, *reserved})
    if isinstance(node.inputs.get(_PROMPT), InputRef | NodeRef):
        return _GIVEN
    return parse_template(str(literals[_PROMPT]), f"{_PROMPT} of {node.name}") if _PROMPT in literals else file


def _check_parameters(node: Node, connection: Connection, literals: dict[str, Any]) -> bool:
    """Find a missing model or a malformed literal before the first line; says whether the answer can be streamed."""
    api = node.api or "chat"
    known, _ = split_inputs(api, literals)
    given = split_inputs(api, node.inputs)[0]
    later = {name: "later" for name in given if name in ("model", "deployment_name")}
    try:
        build_request(connection, api, {**later, **known}, [])
    except UserError as error:
        raise UserError(f"Node {node.name!r}: {error.message}", hint=error.hint, where=node.where) from None
    return not {"tools", "functions"} & given.keys()


class _LlmCall:
    """Renders, asks and reads the answer."""

    def __init__(self, node: Node, template: PromptFile, connection: Connection, services: Services) -> None:
        self.api = node.api or "chat"
        self.prompt = ChatPrompt(template, names_from_outside(node) - {_PROMPT})
        self.connection = connection
        self.services = services

    async def __call__(self, values: dict[str, Any]) -> Any:
        request = self._request(values)
        return read_result(self.api, request, await self.services.call(self.connection, request))

    async def stream(self, values: dict[str, Any]) -> TextStream:
        """The answer's text in pieces."""
        return TextStream(self._pieces(self._request(values)))

    async def _pieces(self, request: ModelRequest) -> AsyncIterator[str]:
        async for chunk in self.services.stream(self.connection, request):
            piece = read_piece(self.api, chunk)
            if piece is not None:
                yield piece

    def _request(self, values: Mapping[str, Any]) -> ModelRequest:
        parameters, variables = split_inputs(self.api, values)
        per_line = isinstance(self.connection, AzureOpenAIConnection)
        render = self.prompt.messages if self.api == "chat" else self.prompt.text
        return build_request(self.connection, self.api, parameters, render(variables, item_per_line=per_line))
