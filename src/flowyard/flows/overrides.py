"""Other connections and models for a flow's nodes in one run: ``{node: {connection: …, deployment_name: …}}``."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from typing import Any

from flowyard._util.suggest import did_you_mean, known_names
from flowyard.errors import FlowInvalid, Problem, UserError
from flowyard.flows.model import DagFlow, Flow, Literal, Node

__all__ = ["override_connections", "parse_overrides"]

_MODEL_KEYS = ("deployment_name", "model")

Overrides = Mapping[str, Any]


def parse_overrides(items: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """``{"node.key": value}``, as a command line gives them, by node. Raises UserError for a key without a dot."""
    found: dict[str, dict[str, str]] = {}
    for path, value in items.items():
        node, dot, key = path.partition(".")
        if not dot or not node or not key:
            raise UserError(
                f"--connections takes node.key=value, not {path!r}.",
                hint="For example: --connections classify.connection=my_openai classify.deployment_name=small",
            )
        found.setdefault(node, {})[key] = value
    return found


def override_connections(
    flow: Flow, overrides: Overrides, parameters: Mapping[str, Collection[str]] | None = None
) -> Flow:
    """The flow with the overrides in its nodes; variants are chosen already.

    An LLM node takes ``connection``, ``deployment_name`` and ``model``. A Python node takes ``deployment_name``,
    ``model`` and its connection parameters by name: those that ``parameters`` lists for the node (``{node: names}``)
    or, where that is not known, the inputs that the flow gives as a plain text. Raises FlowInvalid with every problem,
    and UserError for a flow that has no nodes.
    """
    if not overrides:
        return flow
    if not isinstance(flow, DagFlow):
        raise UserError(f"{flow.file} has no nodes whose connections could be overridden.")
    nodes = {node.name: node for node in flow.nodes}
    problems: list[Problem] = []
    changed: dict[str, Node] = {}
    for name, values in overrides.items():
        if name not in nodes:
            hint = did_you_mean(name, nodes) or f"It has: {known_names(nodes)}."
            problems.append(Problem(f"The flow has no node {name!r}.", hint=hint))
        elif not isinstance(values, Mapping):
            problems.append(Problem(f"The override of node {name!r} must be a mapping of keys to values."))
        else:
            known = _keys(nodes[name], (parameters or {}).get(name))
            problems += _unknown(nodes[name], values, known)
            changed[name] = _overridden(nodes[name], values)
    if problems:
        raise FlowInvalid(f"Connections of {flow.file} cannot be overridden:", problems)
    return replace(flow, nodes=tuple(changed.get(node.name, node) for node in flow.nodes))


def _keys(node: Node, parameters: Collection[str] | None) -> tuple[str, ...]:
    """What can be overridden in a node, connections first."""
    if node.type in ("llm", "custom_llm"):
        return ("connection", *_MODEL_KEYS)
    if node.type != "python":
        return ()
    if parameters is None:
        literals = {name: value for name, value in node.inputs.items() if isinstance(value, Literal)}
        parameters = [name for name, value in literals.items() if isinstance(value.value, str)]
    return tuple(dict.fromkeys([*parameters, *_MODEL_KEYS]))


def _unknown(node: Node, values: Mapping[str, Any], known: Collection[str]) -> Iterable[Problem]:
    for key, value in values.items():
        if key not in known:
            hint = did_you_mean(str(key), known) or (
                f"It takes: {known_names(known)}." if known else f"A {node.type} node uses no connection."
            )
            yield Problem(f"Node {node.name!r} has no connection or model {key!r} to override.", node.where, hint)
        elif not isinstance(value, str) or not value:
            yield Problem(f"The override {node.name}.{key} must be a text.", node.where)


def _overridden(node: Node, values: Mapping[str, Any]) -> Node:
    inputs = dict(values)
    connection = inputs.pop("connection", node.connection) if node.type != "python" else node.connection
    given = {key: Literal(value) for key, value in inputs.items()}
    return replace(node, connection=connection, inputs={**node.inputs, **given})
