"""A flow becomes a ``LineRunner``: files, templates and connections are resolved before a token is paid for."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from flowyard.abc import Provider
from flowyard.engine.code import code_of
from flowyard.engine.environment import FlowEnvironment, resolve_variables
from flowyard.engine.line import LineRunner
from flowyard.engine.nodes.llm import prepare_llm
from flowyard.engine.nodes.prompt import prepare_prompt
from flowyard.engine.nodes.python import prepare_python
from flowyard.engine.providers import Providers
from flowyard.engine.step import Step
from flowyard.errors import FlowInvalid, Problem, UserError
from flowyard.flows.model import Flow, Node
from flowyard.llm.connection import Connection
from flowyard.llm.sources import Connections

__all__ = ["prepare"]


def prepare(
    flow: Flow,
    connections: Connections,
    open_provider: Callable[[Connection], Provider],
    *,
    threads: int = 16,
    only: str | None = None,
) -> LineRunner:
    """Resolve every node of a flow, used or not. Close the runner when done.

    ``threads`` is how many synchronous tools may run at once; ``only`` names the one node to resolve. Raises
    FlowInvalid with every problem found, or the error itself when there is one only (a missing connection keeps its own
    class and hint).
    """
    providers = Providers(open_provider)
    environment = FlowEnvironment(resolve_variables(flow, connections))
    try:
        steps = _prepare_nodes(flow, connections, providers, only)
    except BaseException:
        environment.restore()
        raise
    return LineRunner(flow, steps, providers, environment, connections.secrets, threads=threads)


def _prepare_nodes(flow: Flow, connections: Connections, providers: Providers, only: str | None) -> list[Step]:
    steps: list[Step] = []
    errors: list[UserError] = []
    with code_of(flow.folder):
        for node in flow.nodes:
            if only not in (None, node.name):
                continue
            try:
                steps.append(_prepare_node(node, flow, connections, providers))
            except UserError as error:
                errors.append(error)
    if len(errors) == 1:
        raise errors[0]
    if errors:
        problems = [Problem(error.message, error.where, error.hint) for error in errors]
        raise FlowInvalid(f"{flow.file} cannot be run ({len(problems)} problems):", problems)
    return steps


def _prepare_node(node: Node, flow: Flow, connections: Connections, providers: Providers) -> Step:
    prepare_kind: Mapping[str, Callable[[], Step]] = {
        "python": lambda: prepare_python(node, flow.folder, connections),
        "prompt": lambda: prepare_prompt(node, flow.folder),
        "llm": lambda: prepare_llm(node, flow.folder, connections, providers),
    }
    return prepare_kind[node.type]()
