"""LLM nodes: a template, a connection and the parameters of the model's API."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

from flowyard.engine.code import place_of
from flowyard.engine.nodes.pictures import with_template_pictures
from flowyard.engine.nodes.prompt import literals_of, names_from_outside, require_free_name, require_free_variables
from flowyard.engine.step import Step
from flowyard.engine.stream import TextStream
from flowyard.errors import UserError
from flowyard.flows.model import Literal, Node
from flowyard.llm import build_request, split_inputs
from flowyard.llm.chat_prompt import ChatPrompt
from flowyard.llm.connection import Connection, CustomConnection
from flowyard.llm.model_call import GIVEN_PROMPT, PromptCall
from flowyard.llm.parameters import CHAT_PARAMETERS, COMPLETION_PARAMETERS, COMPLETION_TOKENS
from flowyard.llm.services import Services
from flowyard.llm.template import PromptFile, load_template, parse_template

__all__ = ["prepare_llm"]

_OWN_MODULE = "promptflow"


def prepare_llm(node: Node, folder: Path, services: Services) -> Step:
    """Resolve the node's template and connection. Raises UserError, ConnectionMissing."""
    require_free_name(node, {"template"})
    assert node.connection is not None
    connection = services.connections.get(node.connection, needed_by=f"Node {node.name!r} ({node.where})")
    if not connection.is_model:
        message = f"Node {node.name!r} needs a language model, but connection {node.connection!r} is {connection.type}."
        hint = None
        if isinstance(connection, CustomConnection):
            hint = "A custom connection is an OpenAI-compatible endpoint when its configs have a 'base_url'."
        raise UserError(message, hint=hint, where=node.where)
    _import_module(node, folder)
    literals = literals_of(node)
    if node.api == "completion" and ("max_tokens" not in node.inputs or isinstance(node.inputs["max_tokens"], Literal)):
        literals.setdefault("max_tokens", COMPLETION_TOKENS)
    template = _template_of(node, folder, literals)
    streams = _check_parameters(node, connection, literals)
    services.provider(connection)  # a provider that cannot be opened is found before the first line
    call = PromptCall(services, connection, node.api or "chat", ChatPrompt(template, names_from_outside(node)))

    async def stream(values: dict[str, Any]) -> TextStream:
        return TextStream(call.pieces(values))

    return Step(
        node,
        call.answer,
        "engine loop",
        literals=with_template_pictures(node, literals, template, folder, services.urls),
        warnings=()
        if GIVEN_PROMPT in node.inputs
        else (*template.holes(node.inputs, node.name), *_unread(node, template)),
        stream=stream if streams else None,
    )


def _unread(node: Node, template: PromptFile) -> Iterator[str]:
    """Inputs that reach neither the model nor the prompt: a misspelt parameter, or one newer than our table."""
    _, variables = split_inputs(node.api or "chat", node.inputs)
    for name in sorted(variables.keys() - template.variables):
        yield (
            f"{node.where}: input {name!r} of node {node.name!r} is neither a parameter of the model nor read by the "
            "prompt. To send it to the model, put it into an input 'extra_body', which is a mapping."
        )


def _template_of(node: Node, folder: Path, literals: dict[str, Any]) -> PromptFile:
    """The node's file; a literal ``prompt``, which is taken out of ``literals``, is a template in its place."""
    assert node.source_path is not None
    file = load_template(folder / node.source_path)
    reserved = COMPLETION_PARAMETERS if node.api == "completion" else CHAT_PARAMETERS
    require_free_variables(node, file, {GIVEN_PROMPT, *reserved})
    if not isinstance(node.inputs.get(GIVEN_PROMPT), Literal):
        return file
    text = literals.pop(GIVEN_PROMPT, None)
    return file if text is None else parse_template(str(text), f"{GIVEN_PROMPT} of {node.name}")


def _import_module(node: Node, folder: Path) -> None:
    """Import the module that the node names, for what importing it does; prompt flow's own has nothing to do here."""
    if not node.module or node.module.partition(".")[0] == _OWN_MODULE:
        return
    try:
        import_module(node.module)
    except Exception as error:  # importing a module runs its code
        message = f"The module {node.module!r} of node {node.name!r} cannot be imported: "
        raise UserError(
            f"{message}({type(error).__name__}) {error}", where=place_of(error, folder) or node.where
        ) from error


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
