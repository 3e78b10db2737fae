"""A flow's definition with the chosen variants and parameters written into it, so that the text stands for itself."""

from __future__ import annotations

import io
from collections.abc import Mapping, MutableMapping
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.tokens import AliasToken

from flowyard._util.yamlfile import parse_yaml
from flowyard.errors import UserError
from flowyard.flows.front_matter import parse_front_matter
from flowyard.flows.model import DagFlow, FlexFlow, Flow, PromptyFlow
from flowyard.flows.parameters import Target, apply_parameters, iter_targets
from flowyard.flows.variants import apply_variants

__all__ = ["is_as_written", "rewrite_definition"]

Body = MutableMapping[str, Any]


def is_as_written(flow: Flow, parameters: Mapping[str, Any]) -> bool:
    """Whether the definition says the same without a change: default variants only, and no parameters."""
    return not parameters and all(flow.variants[node][0] == variant for node, variant in flow.chosen.items())


def rewrite_definition(flow: Flow, parameters: Mapping[str, Any], text: str) -> str:
    """The text of the flow's file in which its chosen variants are the defaults and the parameters are values.

    Raises UserError for a parameter that means nothing in the flow, or has no place in its file.
    """
    if is_as_written(flow, parameters):
        return text
    apply_parameters(flow, parameters)  # names and values are checked as for a run
    if isinstance(flow, PromptyFlow):
        return _rewrite_prompty(flow, parameters, text)
    body = _read(text, flow)
    for node, variant in flow.chosen.items():
        body["node_variants"][node]["default_variant_id"] = variant
    _write_parameters(flow, parameters, body)
    return _dump(body)


def _rewrite_prompty(flow: PromptyFlow, parameters: Mapping[str, Any], text: str) -> str:
    parts = parse_front_matter(text, flow.file)
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    fences = [number for number, line in enumerate(lines[: parts.first_line - 1]) if line.rstrip().strip("-") == ""]
    start = next(number for number in fences if lines[number].startswith("---"))
    body = _read("\n".join(lines[start + 1 : parts.first_line - 2]), flow)
    _write_parameters(flow, parameters, body)
    return f"---\n{_dump(body)}---\n{parts.text}"


def _write_parameters(flow: Flow, parameters: Mapping[str, Any], body: Body) -> None:
    for name, target in iter_targets(flow, parameters):
        _write(flow, target, name, parameters[name], body)


def _write(flow: Flow, target: Target, name: str, value: Any, body: Body) -> None:
    if target.part == "environment variable":
        _inner(body, "environment_variables", name)[target.name] = value
    elif target.part == "default":
        _default(flow, target, name, body)["default"] = value
    elif isinstance(flow, DagFlow):
        _write_node(target, value, _node(flow, target, body), name)
    elif isinstance(flow, FlexFlow):
        _write_init(flow, target, value, body, name)
    elif target.part == "model":
        configuration = _inner(_inner(body, "model", name), "configuration", name)
        configuration["azure_deployment" if configuration.get("azure_deployment") else "model"] = str(value)
    else:
        _inner(_inner(body, "model", name), "parameters", name)[target.name] = value


def _default(flow: Flow, target: Target, name: str, body: Body) -> Body:
    """The entry of an input; one that only a sample shows is declared by the type that the sample has."""
    declared = _inner(body, "inputs", name)
    if not declared:
        for each in flow.inputs.values():
            declared[each.name] = {"type": each.type}
    return _inner(declared, target.name, name)


def _node(flow: DagFlow, target: Target, body: Body) -> Body:
    """The body of a node: its own, or that of its chosen variant."""
    choice = apply_variants(body, flow.chosen)
    names = [node.get("name") for node in choice.nodes]
    found: Any = body
    for key in choice.paths[names.index(target.node)]:
        found = found[key]
    return found  # type: ignore[no-any-return]


def _write_node(target: Target, value: Any, node: Body, name: str) -> None:
    if target.part == "connection":
        node["connection"] = str(value)
    elif target.part == "source":
        _inner(node, "source", name)["path"] = str(value)
    else:
        _inner(node, "inputs", name)[target.name] = value


def _write_init(flow: FlexFlow, target: Target, value: Any, body: Body, name: str) -> None:
    """Into the sample of init values, which stand in when none are given."""
    sample = _inner(body, "sample", name)
    _inner(sample, "init", name)[target.name] = value
    if target.name in flow.init:
        _inner(_inner(body, "init", name), target.name, name)["default"] = value


def _inner(outer: Body, key: str, name: str) -> Body:
    """The mapping under a key, which is made when there is none."""
    if outer.get(key) is None:
        outer[key] = {}
    inner = outer[key]
    if not isinstance(inner, MutableMapping):
        hint = "Write the values into the flow's own file, then the parameter can be written there."
        raise UserError(f"The parameter {name!r} has no place in the flow's file: {key!r} is no mapping.", hint=hint)
    return inner


def _read(text: str, flow: Flow) -> Body:
    """The YAML with its comments; without them where aliases would let one change reach two places."""
    yaml = _yaml()
    body = yaml.load(text)
    if any(isinstance(token, AliasToken) for token in _yaml().scan(text)):
        return _plain(parse_yaml(text, flow.file).data)  # type: ignore[no-any-return]
    return body if body is not None else {}


def _plain(value: Any) -> Any:
    """A copy in which nothing is shared."""
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list) else value


def _dump(body: Body) -> str:
    out = io.StringIO()
    _yaml().dump(body, out)
    return out.getvalue()


def _yaml() -> YAML:
    yaml = YAML()
    yaml.allow_duplicate_keys = True
    yaml.preserve_quotes = True
    yaml.width = 4096
    return yaml
