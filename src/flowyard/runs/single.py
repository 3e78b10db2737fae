"""One line outside a run: trying a flow or a node."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from flowyard._util.suggest import did_you_mean, known_names
from flowyard.engine import LineRunner
from flowyard.errors import UserError
from flowyard.flows.model import DagFlow, Flow, InputRef, Literal, NodeRef
from flowyard.media import MediaWriter, as_base64, dump_media
from flowyard.records import ErrorRecord, LineResult, LineTask, Usage
from flowyard.sessions.encoding import storable

__all__ = ["TryResult", "node_values", "require_inputs", "try_line"]


@dataclass(frozen=True, slots=True)
class TryResult:
    """The outputs of a flow (or the output of a node), or why there are none."""

    outputs: Any
    error: ErrorRecord | None = None
    usage: Usage = Usage()
    metrics: Mapping[str, Any] = field(default_factory=dict)
    aggregation_errors: tuple[ErrorRecord, ...] = ()


async def try_line(
    runner: LineRunner, values: Mapping[str, Any], node: str | None = None, media: MediaWriter | None = None
) -> TryResult:
    """Run one line, then the aggregation nodes of a DAG over it; or one node alone.

    ``__aggregate__`` of a class is for runs over data only, as in prompt flow. Pictures in the outputs are written by
    ``media``; without it the outputs hold them in base64.
    """
    form = runner.flow.message_format
    show = partial(as_base64, format=form) if media is None else partial(dump_media, writer=media)
    if node:
        alone = await runner.run_node(node, values)
        line = LineResult(0, "failed" if alone.error else "completed", {}, {node: alone.output}, alone.error)
        line, _ = storable(line, show)
        return TryResult(show(line.outputs.get(node)), line.error, alone.usage)
    line, _ = storable(await runner.run_line(LineTask(0, values)), show)
    if line.error:
        return TryResult({}, line.error, line.usage)
    collected = runner.aggregation_inputs()
    if not isinstance(runner.flow, DagFlow):
        return TryResult(show(line.returned), None, line.usage + runner.unclaimed_usage)
    collected.add(line.line_number, collected.pick(line))
    aggregation = await runner.run_aggregation(collected)
    usage = line.usage + aggregation.usage + runner.unclaimed_usage
    return TryResult(show(line.returned), None, usage, aggregation.metrics, aggregation.errors)


def require_inputs(flow: Flow, values: Mapping[str, Any]) -> dict[str, Any]:
    """The values, or the flow's sample for none at all, with an empty chat history where none is given.

    Raises UserError naming every missing input.
    """
    given = dict(values or flow.stand_in)
    for name, declared in flow.inputs.items():
        if declared.is_chat_history and declared.required:
            given.setdefault(name, [])
    missing = [name for name, declared in flow.inputs.items() if declared.required and name not in given]
    if missing:
        unknown = [name for name in given if name not in flow.inputs]
        near = did_you_mean(unknown[0], missing) if unknown else None
        form = " ".join(f"{name}=…" for name in missing)
        raise UserError(f"Required inputs are missing: {known_names(missing)}.", hint=near or f"Add --inputs {form}")
    return given


def node_values(flow: Flow, name: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """Inputs of one node by parameter name, from keys that are parameter names, ``node.output`` or ``inputs.x``.

    Raises UserError for an unknown node and for references without a value.
    """
    nodes = flow.nodes if isinstance(flow, DagFlow) else ()
    node = next((node for node in nodes if node.name == name), None)
    if node is None:
        names = [node.name for node in nodes]
        raise UserError(
            f"Flow {flow.name!r} has no node {name!r}.",
            hint=did_you_mean(name, names) or f"It has: {known_names(names)}.",
        )
    found: dict[str, Any] = {}
    missing = []
    for parameter, value in node.inputs.items():
        keys = [parameter, f"${{{_inner(value)}}}", _inner(value)]
        key = next((key for key in keys if key in values), None)
        if key is not None:
            found[parameter] = values[key]
        elif isinstance(value, InputRef) and value.name in flow.inputs and not flow.inputs[value.name].required:
            found[parameter] = flow.inputs[value.name].default
        elif not isinstance(value, Literal):
            missing.append(parameter)
    if missing:
        form = " ".join(f"{parameter}=…" for parameter in missing)
        raise UserError(f"Node {name!r} needs values for: {known_names(missing)}.", hint=f"Add --inputs {form}")
    return found


def _inner(value: Any) -> str:
    if isinstance(value, InputRef):
        return f"inputs.{value.name}"
    return value.text[2:-1] if isinstance(value, NodeRef) else ""
