"""What must hold among the parts of a flow before it is run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from flowyard._util.suggest import did_you_mean, known_names
from flowyard.errors import Problem
from flowyard.flows.graph import find_cycle
from flowyard.flows.model import Input, InputRef, Literal, Node, NodeRef, Output, Value

__all__ = ["check_flow", "parts_of_bypassed", "without_aggregation_outputs"]


def check_flow(inputs: Mapping[str, Input], outputs: Mapping[str, Output], nodes: Sequence[Node]) -> list[Problem]:
    """Every broken rule, with its place: unique names, known references, aggregation order, no circle."""
    by_name = {node.name: node for node in nodes}
    problems = _duplicates(nodes)
    for node in nodes:
        for value in node.references():
            problems += _unknown(value, f"Node {node.name!r}", node.where, inputs, by_name)
        problems += _aggregation_order(node, by_name)
    for output in outputs.values():
        problems += _unknown(output.value, f"Output {output.name!r}", output.where, inputs, by_name)
    cycle = find_cycle(nodes)
    if cycle:
        where = by_name[cycle[0]].where
        problems.append(Problem(f"Nodes read each other in a circle: {' → '.join(cycle)}.", where))
    return problems


def _duplicates(nodes: Sequence[Node]) -> list[Problem]:
    seen: dict[str, Node] = {}
    problems = []
    for node in nodes:
        if node.name in ("inputs", "flow"):
            problems.append(
                Problem(f"A node cannot be called {node.name!r}: that word means the flow's inputs.", node.where)
            )
        if node.name in seen:
            problems.append(
                Problem(f"Node name {node.name!r} is used twice.", node.where, f"First: {seen[node.name].where}.")
            )
        seen.setdefault(node.name, node)
    return problems


def _unknown(
    value: Value, reader: str, where: str, inputs: Mapping[str, Input], nodes: Mapping[str, Node]
) -> list[Problem]:
    if isinstance(value, Literal):
        return []
    if isinstance(value, InputRef):
        if value.name in inputs:
            return []
        text, name, known, kind = f"${{inputs.{value.name}}}", value.name, list(inputs), "input"
    else:
        if value.node in nodes:
            return []
        text, name, known, kind = value.text, value.node, list(nodes), "node"
    hint = did_you_mean(name, known) or f"The flow has: {known_names(known)}."
    return [Problem(f"{reader} reads {text}, but the flow has no {kind} {name!r}.", where, hint)]


def _aggregation_order(node: Node, nodes: Mapping[str, Node]) -> list[Problem]:
    read = [nodes[name] for name in sorted(node.reads()) if name in nodes]
    if not node.aggregation:
        return [
            Problem(
                f"Node {node.name!r} runs for each line, so it cannot read {other.name!r}, an aggregation node.",
                node.where,
            )
            for other in read
            if other.aggregation
        ]
    when = node.activate.when if node.activate else None
    if isinstance(when, InputRef) or (
        isinstance(when, NodeRef) and when.node in nodes and not nodes[when.node].aggregation
    ):
        message = f"'activate' of the aggregation node {node.name!r} may read aggregation nodes only."
        return [Problem(message, node.where)]
    return []


def without_aggregation_outputs(
    outputs: Mapping[str, Output], nodes: Sequence[Node]
) -> tuple[dict[str, Output], list[str]]:
    """Outputs that read an aggregation node are dropped, as prompt flow does, but not silently."""
    aggregation = {node.name for node in nodes if node.aggregation}
    kept: dict[str, Output] = {}
    warnings: list[str] = []
    for name, output in outputs.items():
        if isinstance(output.value, NodeRef) and output.value.node in aggregation:
            warnings.append(
                f"{output.where}: output {name!r} reads the aggregation node {output.value.node!r} and is left out; "
                "aggregation results are metrics (log_metric)."
            )
        else:
            kept[name] = output
    return kept, warnings


def parts_of_bypassed(outputs: Mapping[str, Output], nodes: Sequence[Node]) -> list[str]:
    """Outputs that read a property of a node that may be bypassed: the line then fails, as in prompt flow."""
    conditional = {node.name for node in nodes if node.activate}
    return [
        f"{output.where}: output {name!r} reads a property of {output.value.node!r}, so a line fails when 'activate' "
        f"bypasses that node. Read the whole output, which is then null."
        for name, output in outputs.items()
        if isinstance(output.value, NodeRef) and output.value.path and output.value.node in conditional
    ]
