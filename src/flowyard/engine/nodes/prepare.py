"""All nodes of a DAG flow, resolved by their kinds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from pathlib import Path

from flowyard.engine.modules import code_of
from flowyard.engine.step import Step
from flowyard.errors import FlowInvalid, Problem, UserError
from flowyard.flows.model import DagFlow, Node
from flowyard.llm.services import Services

__all__ = ["prepare_nodes"]


def prepare_nodes(flow: DagFlow, services: Services, only: str | None) -> list[Step]:
    """Every node of the flow, or the one that ``only`` names. Raises FlowInvalid with every problem."""
    steps: list[Step] = []
    errors: list[UserError] = []
    with code_of(flow.folder):
        for node in flow.nodes:
            if only not in (None, node.name):
                continue
            try:
                steps.append(_prepare_node(node, flow, services))
            except UserError as error:
                errors.append(error)
    if len(errors) == 1:
        raise errors[0]
    if errors:
        problems = list(dict.fromkeys(Problem(error.message, error.where, error.hint) for error in errors))
        raise FlowInvalid(f"{flow.file} cannot be run ({_counted(problems)}):", problems)
    return steps


def _counted(problems: Sequence[Problem]) -> str:
    return "1 problem" if len(problems) == 1 else f"{len(problems)} problems"


def _prepare_node(node: Node, flow: DagFlow, services: Services) -> Step:
    place = _KINDS[node.type if node.source_type == "code" else "package"]
    module, name = place.split(":")
    prepare: Callable[[Node, Path, Services], Step] = getattr(import_module(module), name)
    return prepare(node, flow.folder, services)


_KINDS: Mapping[str, str] = {
    kind: f"flowyard.engine.nodes.{kind}:prepare_{kind}" for kind in ("python", "prompt", "llm", "package")
}
"""Kind of node -> ``module:function``, imported when a flow has one: a process for plain code needs no templates."""
