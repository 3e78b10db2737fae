"""``flow.dag.yaml`` and ``flow.flex.yaml``. The form is prompt flow's: keys that nobody knows are let pass."""

from __future__ import annotations

from flowyard.flows.dag_yaml import NODE_KEYS, NODE_KINDS
from flowyard.flows.flex_yaml import ENTRY, FLEX_KEYS, FLEX_TYPES
from flowyard.flows.model import INPUT_TYPES
from flowyard.schemas.forms import NAME, TEXT, Schema, choice, said
from flowyard.schemas.models import described_keys

__all__ = ["dag_schema", "flex_schema"]

_MAPPING: Schema = {"type": ["object", "null"]}
_DAG_KEYS = (
    *("$schema", "id", "name", "type", "inputs", "outputs", "nodes", "node_variants", "environment"),
    *("environment_variables", "additional_includes", "message_format", "language"),
)


def dag_schema() -> Schema:
    """The schema of a flow of nodes."""
    node = _node()
    variant: Schema = {"type": "object", "properties": {"node": node}}
    variants: Schema = {
        "type": "object",
        "required": ["variants"],
        "properties": {
            "default_variant_id": said(TEXT, "The variant that runs when nobody says which"),
            "variants": {"type": "object", "additionalProperties": variant},
        },
    }
    output: Schema = {
        "type": "object",
        "required": ["reference"],
        "properties": {
            "reference": said({}, "What it is: ${node.output}, ${node.output.key} or ${inputs.name}"),
            "type": said({}, "Its type, for people"),
            "is_chat_output": said({}, "The answer of a chat"),
            "evaluation_only": said({}, "Not part of an answer when the flow is served"),
        },
    }
    forms: dict[str, Schema] = {
        "inputs": {**_MAPPING, "additionalProperties": _port(choice(INPUT_TYPES))},
        "outputs": {**_MAPPING, "additionalProperties": output},
        "nodes": {"type": ["array", "null"], "items": {**node, "required": ["name"]}},
        "node_variants": {**_MAPPING, "additionalProperties": variants},
        "environment": _MAPPING,
        "language": {"not": {"const": "csharp"}},
    }
    return _flow("flow.dag", _DAG_KEYS, forms)


def flex_schema() -> Schema:
    """The schema of a flow that is a function or a class."""
    plain = _port(choice(FLEX_TYPES))
    samples = {"inputs": _MAPPING, "init": _MAPPING}
    forms: dict[str, Schema] = {
        "entry": {"type": "string", "pattern": ENTRY.pattern},
        "inputs": {**_MAPPING, "additionalProperties": plain},
        "outputs": {**_MAPPING, "additionalProperties": plain},
        "init": {**_MAPPING, "additionalProperties": _port(NAME)},
        "sample": {
            "type": ["object", "string", "null"],
            "pattern": r"^\$\{",
            "properties": samples,
            "additionalProperties": False,
        },
        "environment_variables": _MAPPING,
        "language": {"not": {"const": "csharp"}},
    }
    return {**_flow("flow.flex", FLEX_KEYS, forms), "required": ["entry"]}


def _flow(name: str, keys: tuple[str, ...], forms: dict[str, Schema]) -> Schema:
    words = described_keys()[name]
    made = {key: forms.get(key, {}) for key in keys}
    return {"type": "object", "properties": {key: said(form, words[key]) for key, form in made.items()}}


def _port(kind: Schema) -> Schema:
    return {
        "type": "object",
        "required": ["type"],
        "properties": {
            "type": said(kind, "The type that values are converted to"),
            "default": said({}, "The value when none is given"),
            "description": said({}, "What it is, for people"),
            "is_chat_input": said({}, "What the user says in a chat"),
            "is_chat_history": said({}, "The turns of the chat so far"),
        },
    }


def _node() -> Schema:
    words = described_keys()["node"]
    source: Schema = {
        "type": "object",
        "properties": {
            "type": said(choice(dict.fromkeys(kind for _, kind in NODE_KINDS)), "Where the code is"),
            "path": said(TEXT, "The file, in the flow's folder"),
            "tool": said(TEXT, "The id of a package tool"),
        },
    }
    rule: Schema = {"type": ["object", "null"], "required": ["when", "is"]}
    forms: dict[str, Schema] = {
        "name": TEXT,
        "type": choice(dict.fromkeys(kind for kind, _ in NODE_KINDS)),
        "source": source,
        "activate": rule,
    }
    return {"type": "object", "properties": {key: said(forms.get(key, {}), words[key]) for key in NODE_KEYS}}
