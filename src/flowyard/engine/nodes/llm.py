"""LLM nodes: a template, a connection and the parameters of the model's API."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from flowyard.engine.nodes.prompt import escape_inputs, literals_of, names_from_outside, require_free_name
from flowyard.engine.providers import Providers
from flowyard.engine.step import Step, StepValue
from flowyard.engine.template import load_template, render
from flowyard.errors import UserError
from flowyard.flows.model import Node
from flowyard.llm import RoleEscapes, build_request, parse_chat, read_result, split_inputs
from flowyard.llm.connection import AzureOpenAIConnection, Connection
from flowyard.llm.sources import Connections

__all__ = ["prepare_llm"]


class _LinesList(list[Any]):
    """A list that prints one item a line, as prompt flow prints lists in prompts for Azure OpenAI."""

    def __str__(self) -> str:
        return "\n".join(map(str, self))


def prepare_llm(node: Node, folder: Path, connections: Connections, providers: Providers) -> Step:
    """Resolve the node's template and connection. Raises UserError, ConnectionMissing."""
    require_free_name(node, {"template"})
    assert node.connection is not None
    assert node.source_path is not None
    connection = connections.get(node.connection, needed_by=f"Node {node.name!r} ({node.where})")
    if not connection.is_model:
        message = f"Node {node.name!r} needs a language model, but connection {node.connection!r} is {connection.type}."
        raise UserError(message, where=node.where)
    literals = literals_of(node)
    _check_parameters(node, connection, literals)
    call = _LlmCall(node, folder, connection, providers)
    return Step(node, call, is_async=True, literals=literals, warnings=call.template.holes(node.inputs, node.name))


def _check_parameters(node: Node, connection: Connection, literals: dict[str, Any]) -> None:
    """Find a missing model or a malformed literal before the first line; what lines decide is checked with them."""
    api = node.api or "chat"
    known, _ = split_inputs(api, literals)
    later = {name: "later" for name in split_inputs(api, node.inputs)[0] if name in ("model", "deployment_name")}
    try:
        build_request(connection, api, {**later, **known}, [])
    except UserError as error:
        raise UserError(f"Node {node.name!r}: {error.message}", hint=error.hint, where=node.where) from None


class _LlmCall:
    """Renders, asks and reads the answer."""

    def __init__(self, node: Node, folder: Path, connection: Connection, providers: Providers) -> None:
        assert node.source_path is not None
        self.api = node.api or "chat"
        self.template = load_template(folder / node.source_path)
        self.outside = names_from_outside(node)
        self.connection = connection
        self.provider = providers.get(connection)

    async def __call__(self, values: dict[str, Any]) -> StepValue:
        parameters, variables = split_inputs(self.api, values)
        request = build_request(self.connection, self.api, parameters, self._prompt(variables))
        reply = await self.provider.call(request)
        return StepValue(read_result(self.api, request, reply), reply.usage)

    def _prompt(self, variables: dict[str, Any]) -> str | list[dict[str, Any]]:
        escapes = RoleEscapes()
        safe = escape_inputs(variables, self.outside, escapes)
        if isinstance(self.connection, AzureOpenAIConnection):
            safe = {name: _LinesList(value) if isinstance(value, list) else value for name, value in safe.items()}
        text = render(self.template, safe)
        return parse_chat(text, escapes=escapes) if self.api == "chat" else str(escapes.restore(text))
