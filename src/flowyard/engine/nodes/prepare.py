"""All nodes of a DAG flow, resolved by their kinds."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from flowyard.engine.modules import code_of
from flowyard.engine.nodes.llm import prepare_llm
from flowyard.engine.nodes.package import prepare_package
from flowyard.engine.nodes.prompt import prepare_prompt
from flowyard.engine.nodes.python import prepare_python
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
        problems = [Problem(error.message, error.where, error.hint) for error in errors]
        raise FlowInvalid(f"{flow.file} cannot be run ({len(problems)} problems):", problems)
    return steps


def _prepare_node(node: Node, flow: DagFlow, services: Services) -> Step:
    if node.source_type != "code":
        return prepare_package(node, flow.folder, services)
    prepare_kind: Mapping[str, Callable[[], Step]] = {
        "python": lambda: prepare_python(node, flow.folder, services),
        "prompt": lambda: prepare_prompt(node, flow.folder, services.urls),
        "llm": lambda: prepare_llm(node, flow.folder, services),
    }
    return prepare_kind[node.type]()
