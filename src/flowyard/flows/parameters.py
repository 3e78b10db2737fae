"""Values of a loaded flow that are changed from outside it: for one call, one run, or an experiment's search.

A parameter is named by what it changes:

    NODE.INPUT            an input of a node; ``NODE.model`` is the model or deployment that an LLM node asks
    NODE.connection       the connection of an LLM node
    NODE.prompt           the file of a node's prompt or code (also ``NODE.source.path``), within the flow's folder
    inputs.NAME.default   the default of a flow's input
    environment_variables.NAME
    init.NAME             an argument of the class of a flex flow
    parameters.NAME       a model parameter of a prompty, also only ``NAME``; ``model`` is the model that it asks

``nodes.NODE.inputs.INPUT`` and ``nodes.NODE.connection`` are the longer names that prompt flow's contexts use.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from flowyard._util.suggest import did_you_mean, known_names
from flowyard.errors import FlowInvalid, UserError
from flowyard.flows import known_inputs
from flowyard.flows.check import check_flow
from flowyard.flows.graph import topological
from flowyard.flows.known_inputs import MODEL_KEYS
from flowyard.flows.model import DagFlow, FlexFlow, Flow, Node, PromptyFlow
from flowyard.flows.reference import ReferenceSyntaxError, parse_value
from flowyard.flows.tool_definitions import check_tools

__all__ = ["Target", "apply_parameters", "change_flow", "find_target", "iter_targets", "require_parameter"]

_SOURCE = ("prompt", "source.path")
_DAG_FORMS = (
    "Write NODE.INPUT, NODE.model, NODE.connection, NODE.prompt, inputs.NAME.default or environment_variables.NAME."
)
_FLEX_FORMS = "Write init.NAME, inputs.NAME.default or environment_variables.NAME."
_PROMPTY_FORMS = "Write parameters.NAME, model, inputs.NAME.default or environment_variables.NAME."


@dataclass(frozen=True, slots=True)
class Target:
    """What a parameter's name means in a flow. ``part`` is the kind of thing, ``name`` which one, in ``node``."""

    part: str
    name: str
    node: str | None = None


def apply_parameters(flow: Flow, parameters: Mapping[str, Any]) -> Flow:
    """The flow with its parameters, checked like a flow that was read with them.

    Raises UserError for a name that means nothing in the flow, FlowInvalid when the changed flow cannot be run.
    """
    if not parameters:
        return flow
    for name, target in iter_targets(flow, parameters):
        flow = _changed(flow, target, parameters[name], name)
    return _checked(flow)


def iter_targets(flow: Flow, parameters: Iterable[str]) -> Iterable[tuple[str, Target]]:
    """Each parameter's name with all that it changes. Raises UserError for a name that means nothing in the flow."""
    return list(_with_both_model_keys(flow, {name: require_parameter(flow, name) for name in parameters}))


def change_flow(flow: Flow, name: str, value: Any) -> Flow:
    """The flow with one value changed; a node may get an input that it did not have. Raises UserError."""
    return _changed(flow, find_target(flow, name), value, name)


def require_parameter(flow: Flow, name: str) -> Target:
    """What a name means. Raises UserError when the flow, or the node, has nothing of that name."""
    target = find_target(flow, name)
    if target.part == "input" and isinstance(flow, DagFlow):
        node = next(node for node in flow.nodes if node.name == target.node)
        _require_known(name, target.name, known_inputs.of_node(flow, node), f"Node {node.name!r} takes")
    elif target.part == "init" and isinstance(flow, FlexFlow):
        _require_known(name, target.name, known_inputs.of_init(flow), f"The class {flow.entry} takes")
    elif target.part == "model parameter" and isinstance(flow, PromptyFlow):
        _require_known(name, target.name, known_inputs.of_prompty(flow), "It has")
    return target


def find_target(flow: Flow, name: str) -> Target:
    """What a name means in a flow of this kind; whether a node takes such an input is not asked. Raises UserError."""
    head, _, rest = name.partition(".")
    if head == "environment_variables" and rest:
        return Target("environment variable", rest)
    if head == "inputs" and rest.endswith(".default"):
        wanted = rest.removesuffix(".default")
        _require_known(name, wanted, flow.inputs, f"Flow {flow.name!r} has the inputs")
        return Target("default", wanted)
    if isinstance(flow, DagFlow):
        return _in_nodes(flow, name)
    if isinstance(flow, FlexFlow) and head == "init" and rest:
        return Target("init", rest)
    if isinstance(flow, PromptyFlow):
        return _in_prompty(name)
    raise _nothing(flow, name, _FLEX_FORMS)


def _in_prompty(name: str) -> Target:
    bare = name.removeprefix("parameters.")
    return Target("model", "model") if name == "model" else Target("model parameter", bare)


def _in_nodes(flow: DagFlow, name: str) -> Target:
    is_long = name.startswith("nodes.") and not any(node.name == "nodes" for node in flow.nodes)
    short = name.removeprefix("nodes.") if is_long else name
    nodes = [node for node in flow.nodes if short.startswith(f"{node.name}.")]
    if not nodes:
        if "." not in short:
            raise _nothing(flow, name, _DAG_FORMS)
        wanted, known = short.split(".")[0], [node.name for node in flow.nodes]
        near = did_you_mean(wanted, known) or f"It has: {known_names(known)}."
        message = f"{name!r} names the node {wanted!r}, which flow {flow.name!r} does not have."
        raise UserError(message, hint=near)
    node = max(nodes, key=lambda each: len(each.name))
    return _in_node(flow, node, short[len(node.name) + 1 :], name, is_long=is_long)


def _in_node(flow: DagFlow, node: Node, key: str, name: str, *, is_long: bool) -> Target:
    own = key.removeprefix("inputs.")
    if own != key and own:
        return Target("input", own, node.name)
    if key == "connection" and "connection" not in node.inputs:
        return Target("connection", key, node.name)
    if key in _SOURCE and key not in node.inputs and node.source_type != "package":
        return Target("source", key, node.name)
    if is_long or not key:
        raise _nothing(flow, name, _DAG_FORMS)
    return Target("input", key, node.name)


def _nothing(flow: Flow, name: str, forms: str) -> UserError:
    return UserError(f"{flow.file.name} has nothing that {name!r} changes.", hint=forms)


def _require_known(name: str, wanted: str, known: Collection[str] | None, said: str) -> None:
    if known is not None and wanted not in known:
        near = did_you_mean(wanted, known) or f"{said}: {known_names(sorted(known), most=30)}."
        raise UserError(f"There is no {wanted!r} to change by the parameter {name!r}.", hint=near)


def _with_both_model_keys(flow: Flow, targets: Mapping[str, Target]) -> Iterable[tuple[str, Target]]:
    """Each name with its targets: the model of an LLM node is both of its keys, as a connection reads only one.

    Unless each is a parameter of its own.
    """
    yield from targets.items()
    if not isinstance(flow, DagFlow):
        return
    asking = {node.name for node in flow.nodes if node.type == "llm"}
    taken = set(targets.values())
    for name, target in targets.items():
        if target.part == "input" and target.node in asking and target.name in MODEL_KEYS:
            for key in MODEL_KEYS:
                other = Target("input", key, target.node)
                if other not in taken:
                    yield name, other


def _changed(flow: Flow, target: Target, value: Any, name: str) -> Flow:
    if target.part == "environment variable":
        return replace(flow, environment_variables={**flow.environment_variables, target.name: value})
    if target.part == "default":
        changed = replace(flow.inputs[target.name], default=value)
        return replace(flow, inputs={**flow.inputs, target.name: changed})
    if isinstance(flow, DagFlow):
        nodes = (_changed_node(flow, node, target, value, name) for node in flow.nodes)
        return replace(flow, nodes=tuple(nodes))
    if isinstance(flow, FlexFlow):
        return replace(flow, init_values={**flow.init_values, target.name: value})
    if isinstance(flow, PromptyFlow):
        return _changed_prompty(flow, target, value)
    raise _nothing(flow, name, "")


def _changed_prompty(flow: PromptyFlow, target: Target, value: Any) -> PromptyFlow:
    if target.part == "model parameter":
        return replace(flow, parameters={**flow.parameters, target.name: value})
    key = "azure_deployment" if flow.configuration.get("azure_deployment") else "model"
    return replace(flow, configuration={**flow.configuration, key: str(value)})


def _changed_node(flow: DagFlow, node: Node, target: Target, value: Any, name: str) -> Node:
    if node.name != target.node:
        return node
    if target.part == "connection":
        return replace(node, connection=str(value))
    if target.part == "source":
        return replace(node, source_path=_file_of_flow(flow, value, name))
    try:
        return replace(node, inputs={**node.inputs, target.name: parse_value(value)})
    except ReferenceSyntaxError as error:
        raise UserError(f"The parameter {name!r}: {error}") from None


def _file_of_flow(flow: DagFlow, value: Any, name: str) -> str:
    folder = flow.folder.resolve()
    path = (folder / str(value)).resolve()
    if not path.is_relative_to(folder):
        raise UserError(
            f"The parameter {name!r} is the file {value!r}, outside of the flow's folder.",
            hint="Copy it into the folder, or add it to 'additional_includes' of the flow.",
        )
    if not path.is_file():
        near = did_you_mean(str(value), _files(folder))
        raise UserError(f"The parameter {name!r} is the file {value!r}, which the flow does not have.", hint=near)
    return str(value)


def _files(folder: Path) -> list[str]:
    return [str(found.relative_to(folder)) for found in folder.glob("**/*.*")][:500]


def _checked(flow: Flow) -> Flow:
    """The flow as it may be run. Values can be references, so the graph may be another one now."""
    if isinstance(flow, DagFlow):
        problems = check_flow(flow.inputs, flow.outputs, flow.nodes)
        if problems:
            raise FlowInvalid(f"{flow.file} cannot be run with these parameters:", problems)
        return replace(flow, nodes=tuple(topological(list(flow.nodes))))
    for _, message in check_tools(flow.parameters) if isinstance(flow, PromptyFlow) else ():
        raise UserError(message)
    return flow
