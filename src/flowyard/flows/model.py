"""A flow as every other part sees it: typed, checked and frozen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

__all__ = [
    "INPUT_TYPES",
    "Activate",
    "DagFlow",
    "FlexFlow",
    "Flow",
    "Input",
    "InputRef",
    "Literal",
    "Node",
    "NodeRef",
    "Output",
    "PromptyFlow",
    "Value",
]

INPUT_TYPES = (
    "int",
    "double",
    "bool",
    "string",
    "secret",
    "prompt_template",
    "list",
    "object",
    "file_path",
    "image",
    "assistant_definition",
)


@dataclass(frozen=True, slots=True)
class Literal:
    """A value written in the file."""

    value: Any


@dataclass(frozen=True, slots=True)
class InputRef:
    """``${inputs.name}``"""

    name: str


@dataclass(frozen=True, slots=True)
class NodeRef:
    """``${node.output.path}``; each step of ``path`` is a property word (str), a quoted key (Key) or an index (int)."""

    node: str
    path: tuple[str | int | Key, ...] = ()
    text: str = ""


@dataclass(frozen=True, slots=True)
class Key:
    """A quoted key in a property path: always a subscription, never an attribute."""

    name: str


Value = Literal | InputRef | NodeRef


@dataclass(frozen=True, slots=True)
class Input:
    """A flow input. It is required unless it has a default that is not null, or ``nullable`` says that null is one."""

    name: str
    type: str
    default: Any = None
    description: str | None = None
    is_chat_input: bool = False
    is_chat_history: bool = False
    where: str = ""
    nullable: bool = False

    @property
    def required(self) -> bool:
        return self.default is None and not self.nullable


@dataclass(frozen=True, slots=True)
class Output:
    """A flow output: what it refers to, and whether serving leaves it out."""

    name: str
    value: Value
    type: str = "string"
    evaluation_only: bool = False
    is_chat_output: bool = False
    where: str = ""


@dataclass(frozen=True, slots=True)
class Activate:
    """The node runs when ``when`` equals ``equals`` (Python equality)."""

    when: Value
    equals: Any


@dataclass(frozen=True, slots=True)
class Node:
    """One step of a flow. ``where`` is its ``file:line``.

    ``cache`` is its ``enable_cache``: True asks for its results to be kept, False for none of its model calls to be.
    """

    name: str
    type: str
    source_type: str = "code"
    source_path: str | None = None
    source_tool: str | None = None
    inputs: Mapping[str, Value] = field(default_factory=dict)
    connection: str | None = None
    api: str | None = None
    module: str | None = None
    activate: Activate | None = None
    aggregation: bool = False
    where: str = ""
    cache: bool | None = None

    @property
    def keeps(self) -> bool:
        """Whether answers to its model calls may be kept."""
        return self.cache is not False

    def references(self) -> list[Value]:
        """Everything the node reads: its inputs and the condition of ``activate``."""
        return [*self.inputs.values(), *([self.activate.when] if self.activate else [])]

    def reads(self) -> set[str]:
        """Names of the nodes that this node reads."""
        return {value.node for value in self.references() if isinstance(value, NodeRef)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """What every kind of flow has, checked, with one variant of each node chosen.

    ``variants`` maps each node that has variants to their ids, default first; ``chosen`` is the assignment in use.
    ``environment`` says what an image of the flow needs (requirements, base image). ``folder`` is the working directory
    of its code; it is a merged copy when the flow includes files from elsewhere, which ``keep`` holds on disk for as
    long as the flow is used. ``warnings`` are for a person to read once.
    """

    name: str
    file: Path
    folder: Path
    inputs: Mapping[str, Input] = field(default_factory=dict)
    outputs: Mapping[str, Output] = field(default_factory=dict)
    variants: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    chosen: Mapping[str, str] = field(default_factory=dict)
    type: str = "standard"
    environment: Mapping[str, Any] = field(default_factory=dict)
    environment_variables: Mapping[str, Any] = field(default_factory=dict)
    message_format: str = "basic"
    warnings: tuple[str, ...] = ()
    keep: object = None

    @property
    def stand_in(self) -> Mapping[str, Any]:
        """The inputs that are used when none are given at all; empty when there are none."""
        return {}


@dataclass(frozen=True, slots=True, kw_only=True)
class DagFlow(Flow):
    """A graph of nodes; ``nodes`` is in topological order."""

    nodes: tuple[Node, ...]

    @property
    def line_nodes(self) -> tuple[Node, ...]:
        """The nodes that run for each line."""
        return tuple(node for node in self.nodes if not node.aggregation)

    @property
    def aggregation_nodes(self) -> tuple[Node, ...]:
        """The nodes that run once, after all lines."""
        return tuple(node for node in self.nodes if node.aggregation)


@dataclass(frozen=True, slots=True, kw_only=True)
class FlexFlow(Flow):
    """A Python function or class as a flow.

    ``entry`` is ``module:Name``, found in ``folder``, unless ``target`` is the object itself (a flow made in Python).
    ``inputs``, ``outputs`` and ``init`` hold what the file declares; what it does not declare is inferred from the
    signature when the flow is prepared. The samples stand in when no inputs, or no init values, are given at all;
    ``init_values`` go over what is given, or stands in. ``aggregate`` is ``module:function`` of what makes metrics of
    all results of code that has no ``__aggregate__``.
    """

    entry: str
    target: Any = None
    init: Mapping[str, Input] = field(default_factory=dict)
    sample_inputs: Mapping[str, Any] = field(default_factory=dict)
    sample_init: Mapping[str, Any] = field(default_factory=dict)
    init_values: Mapping[str, Any] = field(default_factory=dict)
    where: str = ""
    aggregate: str | None = None

    @property
    def stand_in(self) -> Mapping[str, Any]:
        return self.sample_inputs


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptyFlow(Flow):
    """One chat prompt with its model and parameters.

    ``configuration`` says which model and where; ``parameters`` go into the request as they are; ``response`` is
    ``first`` or ``all``. ``template`` is the prompt's text, which starts at line ``template_line`` of the file.
    ``sample`` stands in when no inputs are given at all; ``declared_outputs`` says whether the file names its outputs.
    ``where`` is the ``file:line`` of the configuration.
    """

    template: str
    template_line: int = 1
    api: str = "chat"
    configuration: Mapping[str, Any] = field(default_factory=dict)
    parameters: Mapping[str, Any] = field(default_factory=dict)
    response: str = "first"
    sample: Mapping[str, Any] = field(default_factory=dict)
    declared_outputs: bool = False
    where: str = ""

    @property
    def stand_in(self) -> Mapping[str, Any]:
        return self.sample

    @property
    def answers_json(self) -> bool:
        """Whether the answer is asked for as a JSON object, whose keys then are the outputs."""
        form = self.parameters.get("response_format")
        return self.response == "first" and isinstance(form, Mapping) and form.get("type") == "json_object"

    @property
    def output_names(self) -> tuple[str, ...] | None:
        """The names that outputs will have; None when the model's answer decides them."""
        if self.answers_json:
            return tuple(self.outputs) if self.declared_outputs else None
        calls = {"tools", "functions"} & self.parameters.keys()
        return None if calls and self.response == "first" else ("output",)
