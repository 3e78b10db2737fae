"""Package tools: nodes whose code is a tool of ours or of an installed package."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from flowyard.engine.nodes.prompt import names_from_outside
from flowyard.engine.nodes.python import misfits, resolve_literals, step_of
from flowyard.engine.packages import PackageTool, find_package_tool
from flowyard.engine.signature import takes_any_name
from flowyard.engine.step import Step
from flowyard.engine.tool import PromptTemplate
from flowyard.errors import UserError
from flowyard.flows.model import Literal, Node
from flowyard.llm.chat_prompt import ChatPrompt
from flowyard.llm.services import Services
from flowyard.llm.template import load_template

__all__ = ["prepare_package"]


def prepare_package(node: Node, folder: Path, services: Services) -> Step:
    """Find the node's tool and resolve its literals and connections. Raises UserError, ConnectionMissing."""
    assert node.source_tool is not None
    tool = find_package_tool(node.source_tool, node.where)
    if tool.is_built_in:
        return _built_in(node, tool, folder, services)
    given = _prompt_arguments(node, tool, folder) if node.source_path else {}
    return step_of(node, tool.function, tool.owner, tool.parameters, services.connections, given)


def _built_in(node: Node, tool: PackageTool, folder: Path, services: Services) -> Step:
    any_name = takes_any_name(tool.function)
    given: dict[str, Any] = {}
    warnings = [*tool.warnings, *misfits(node, tool.parameters, takes_any=any_name)]
    if node.source_path:
        template = load_template(folder / node.source_path)
        given["prompt"] = ChatPrompt(template, names_from_outside(node))
        warnings += template.holes(node.inputs, node.name)
    call = partial(tool.function, services, **given)
    return Step(
        node=node,
        call=lambda values: call(**values),
        place="engine loop",
        literals=resolve_literals(node, tool.parameters, services.connections),
        optional=frozenset(name for name, parameter in tool.parameters.items() if parameter.optional),
        warnings=tuple(warnings),
    )


def _prompt_arguments(node: Node, tool: PackageTool, folder: Path) -> dict[str, Any]:
    """The file of the node for the parameter that is a prompt, and which inputs are foreign text if it asks."""
    assert node.source_path is not None
    names = [name for name, parameter in tool.parameters.items() if parameter.kind == "prompt_template"]
    if not names:
        message = f"The tool {tool.name!r} has no parameter that is a PromptTemplate, so it cannot take a prompt file."
        raise UserError(message, where=node.where)
    arguments: dict[str, Any] = {names[0]: PromptTemplate((folder / node.source_path).read_text("utf-8-sig"))}
    if takes_any_name(tool.function) and any(not isinstance(value, Literal) for value in node.inputs.values()):
        arguments["_inputs_to_escape"] = sorted(names_from_outside(node))
    return arguments
