"""Prompt nodes: a template rendered to text."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from flowyard.engine.nodes.pictures import with_template_pictures
from flowyard.engine.step import Step
from flowyard.errors import UserError
from flowyard.flows.model import InputRef, Literal, Node
from flowyard.llm.messages import RoleEscapes
from flowyard.llm.prompt_text import PromptText, escape_inputs
from flowyard.llm.services import Services
from flowyard.llm.template import PromptFile, load_template, render

__all__ = ["literals_of", "names_from_outside", "prepare_prompt", "require_free_name", "require_free_variables"]


def prepare_prompt(node: Node, folder: Path, services: Services) -> Step:
    """Parse the node's template. Raises UserError with file:line."""
    require_free_name(node, {"template"})
    assert node.source_path is not None
    template = load_template(folder / node.source_path)
    require_free_variables(node, template, {"template"})
    outside = names_from_outside(node)

    def call(values: dict[str, Any]) -> PromptText:
        escapes = RoleEscapes()
        escaped = render(template, escape_inputs(values, outside, escapes))
        return PromptText(render(template, values), escaped, escapes)

    holes = template.holes(node.inputs, node.name)
    literals = with_template_pictures(node, literals_of(node), template, folder, services.urls)
    return Step(node, call, "thread", literals=literals, warnings=holes)


def names_from_outside(node: Node) -> frozenset[str]:
    """The node's inputs that are bound to flow inputs."""
    return frozenset(name for name, value in node.inputs.items() if isinstance(value, InputRef))


def literals_of(node: Node) -> dict[str, Any]:
    """The node's literal inputs; null and empty text are left out, as prompt flow does."""
    return {
        name: value.value
        for name, value in node.inputs.items()
        if isinstance(value, Literal) and value.value not in (None, "")
    }


def require_free_name(node: Node, taken: set[str]) -> None:
    """Raises UserError when an input's name means something else to this kind of node."""
    for name in taken & set(node.inputs):
        raise UserError(
            f"Node {node.name!r} cannot have an input called {name!r}; the name is reserved.", where=node.where
        )


def require_free_variables(node: Node, template: PromptFile, taken: set[str]) -> None:
    """Raises UserError when a template reads a name that is reserved, because no input can give it a value."""
    for name in sorted(taken & template.variables):
        raise UserError(
            f"The prompt of node {node.name!r} reads {name!r}, which is reserved.",
            hint=f"Call the variable in {template.label}, and the node's input, something else.",
            where=node.where,
        )
