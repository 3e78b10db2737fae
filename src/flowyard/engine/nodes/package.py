"""Package tools: nodes whose code is a tool of ours or of an installed package."""

from __future__ import annotations

import inspect
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from flowyard.engine.nodes.pictures import with_pictures, with_template_pictures
from flowyard.engine.nodes.prompt import literals_of, names_from_outside
from flowyard.engine.nodes.python import misfits, resolve_literals, step_of
from flowyard.engine.packages import PackageTool, find_package_tool
from flowyard.engine.signature import takes_any_name
from flowyard.engine.step import Step
from flowyard.engine.stream import TextStream
from flowyard.engine.tool import PromptTemplate
from flowyard.errors import UserError
from flowyard.flows.model import Literal, Node
from flowyard.llm.chat_prompt import ChatPrompt
from flowyard.llm.services import Services
from flowyard.llm.template import load_template
from flowyard.media import template_images

__all__ = ["prepare_package"]


def prepare_package(node: Node, folder: Path, services: Services) -> Step:
    """Find the node's tool and resolve its literals and connections. Raises UserError, ConnectionMissing."""
    assert node.source_tool is not None
    tool = find_package_tool(node.source_tool, node.where)
    if tool.is_built_in:
        return _built_in(node, tool, folder, services)
    given = _prompt_arguments(node, tool, folder, services) if node.source_path else {}
    step = step_of(node, tool.function, tool.owner, tool.parameters, folder, services, given)
    return replace(step, warnings=(*tool.warnings, *step.warnings))


def _built_in(node: Node, tool: PackageTool, folder: Path, services: Services) -> Step:
    wanted = inspect.signature(tool.function).parameters
    literals = resolve_literals(node, tool.parameters, folder, services)
    outer = {"services": services, "folder": folder}
    given: dict[str, Any] = {name: value for name, value in outer.items() if name in wanted}
    warnings = [*tool.warnings, *misfits(node, tool.parameters, takes_any=takes_any_name(tool.function))]
    if "prompt" in wanted or "picture_prompt" in wanted:
        prompt = _prompt_of(node, tool, folder)
        given |= {"prompt": prompt} if "prompt" in wanted else {"picture_prompt": prompt.showing_pictures()}
        literals = with_template_pictures(node, literals, prompt.template, folder, services.urls)
        warnings += prompt.template.holes(node.inputs, node.name)
    call = partial(tool.function, **given)

    async def stream(values: dict[str, Any]) -> TextStream:
        return TextStream(await call(**{**values, "stream": True}))

    return Step(
        node=node,
        call=lambda values: call(**values),
        place="engine loop",
        literals=literals,
        optional=frozenset(name for name, parameter in tool.parameters.items() if parameter.optional),
        warnings=tuple(warnings),
        stream=stream if "stream" in wanted and not {"tools", "functions"} & node.inputs.keys() else None,
    )


def _prompt_of(node: Node, tool: PackageTool, folder: Path) -> ChatPrompt:
    if not node.source_path:
        raise UserError(
            f"Node {node.name!r} gives no prompt file to the tool {tool.name!r}.",
            hint="Set its type to custom_llm, its source type to package_with_prompt, and add the source's path.",
            where=node.where,
        )
    return ChatPrompt(load_template(folder / node.source_path), names_from_outside(node))


def _prompt_arguments(node: Node, tool: PackageTool, folder: Path, services: Services) -> dict[str, Any]:
    """The file of the node for the parameter that is a prompt, and which inputs are foreign text if it asks.

    Pictures that the file shows and the node names are loaded.
    """
    assert node.source_path is not None
    names = [name for name, parameter in tool.parameters.items() if parameter.kind == "prompt_template"]
    if not names:
        message = f"The tool {tool.name!r} has no parameter that is a PromptTemplate, so it cannot take a prompt file."
        raise UserError(message, where=node.where)
    template = load_template(folder / node.source_path)
    arguments: dict[str, Any] = {names[0]: PromptTemplate(template.text)}
    if takes_any_name(tool.function) and any(not isinstance(value, Literal) for value in node.inputs.values()):
        arguments["_inputs_to_escape"] = sorted(names_from_outside(node))
    shown = {name: value for name, value in literals_of(node).items() if name in template_images(template.text)}
    return arguments | with_pictures(node, shown, shown, folder, services.urls)
