"""``flow.dag.yaml`` to a ``DagFlow``, with every problem found at once."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flowyard._util.suggest import did_you_mean, known_names
from flowyard._util.yamlfile import YamlFile
from flowyard.errors import FlowInvalid, Problem, UserError
from flowyard.flows.check import check_flow, parts_of_bypassed, without_aggregation_outputs
from flowyard.flows.graph import topological
from flowyard.flows.includes import resolve_folder
from flowyard.flows.model import INPUT_TYPES, Activate, DagFlow, Input, Literal, Node, Output, Value
from flowyard.flows.reference import ReferenceSyntaxError, parse_value
from flowyard.flows.variants import apply_variants, variant_ids
from flowyard.media.formats import message_format

__all__ = ["NODE_KEYS", "NODE_KINDS", "parse_dag"]

NODE_KINDS = (
    ("python", "code"),
    ("python", "package"),
    ("prompt", "code"),
    ("llm", "code"),
    ("custom_llm", "package_with_prompt"),
)
NODE_KEYS = (
    *("name", "type", "source", "inputs", "connection", "provider", "api", "module", "activate"),
    *("aggregation", "reduce", "use_variants", "enable_cache", "comment", "tool"),
)


def parse_dag(file: YamlFile, selected: Mapping[str, str]) -> DagFlow:
    """A checked flow with the selected variants. Raises FlowInvalid listing every problem with its line."""
    return _DagReader(file).read(selected)


class _DagReader:
    """Reads one file; problems are collected on the way and raised together."""

    def __init__(self, file: YamlFile) -> None:
        self.file = file
        self.problems: list[Problem] = []
        self.warnings = file.repeated_warnings()
        self.place = resolve_folder(file)
        self.folder = self.place.folder

    def read(self, selected: Mapping[str, str]) -> DagFlow:
        raw = self.file.data
        if not isinstance(raw, Mapping):
            raise FlowInvalid(f"{self.file.path} is not a flow.", [Problem("The file is not a YAML mapping.")])
        self._require_maps(raw)
        if self.problems:
            self._raise()
        inputs = {str(name): self._input(str(name), spec) for name, spec in (raw.get("inputs") or {}).items()}
        try:
            choice = apply_variants(raw, selected)
        except UserError as error:
            raise UserError(error.message, hint=error.hint, where=self.file.where("node_variants")) from None
        nodes = [self._node(node, path) for node, path in zip(choice.nodes, choice.paths, strict=True)]
        outputs = {str(name): self._output(str(name), spec) for name, spec in (raw.get("outputs") or {}).items()}
        known = [node for node in nodes if node is not None]
        self.problems += check_flow(inputs, outputs, known)
        if self.problems:
            self._raise()
        outputs, warnings = without_aggregation_outputs(outputs, known)
        warnings += parts_of_bypassed(outputs, known)
        return DagFlow(
            name=str(raw.get("name") or _identifier(self.file.path.parent.resolve().name)),
            file=self.file.path,
            folder=self.folder,
            inputs=inputs,
            outputs=outputs,
            nodes=tuple(topological(known)),
            variants=variant_ids(raw),
            chosen=choice.chosen,
            type=str(raw.get("type") or "standard"),
            environment=dict(raw.get("environment") or {}),
            environment_variables=dict(raw.get("environment_variables") or {}),
            message_format=message_format(str(raw.get("message_format") or "")).name,
            warnings=(*self.place.warnings, *self.warnings, *warnings),
            keep=self.place.keep,
        )

    def _raise(self) -> None:
        unique = list(dict.fromkeys(self.problems))
        count = "1 problem" if len(unique) == 1 else f"{len(unique)} problems"
        raise FlowInvalid(f"{self.file.path} cannot be run ({count}):", unique)

    def _problem(self, message: str, *keys: str | int, hint: str | None = None) -> None:
        self.problems.append(Problem(message, self.file.where(*keys), hint))

    def _require_maps(self, raw: Mapping[str, Any]) -> None:
        kinds = {"nodes": list, **dict.fromkeys(("inputs", "outputs", "node_variants", "environment"), Mapping)}
        for key, kind in kinds.items():
            if raw.get(key) is not None and not isinstance(raw[key], kind):
                self._problem(f"'{key}' must be a {'list' if kind is list else 'mapping'}.", key)
        variants = raw.get("node_variants")
        for name, entry in variants.items() if isinstance(variants, Mapping) else ():
            if not isinstance(entry, Mapping) or not isinstance(entry.get("variants"), Mapping):
                self._problem(f"'node_variants.{name}' must be a mapping with 'variants'.", "node_variants", name)
        if raw.get("language") == "csharp":
            self._problem("C# flows are not supported.", "language", hint="flowyard runs Python flows.")
        try:
            message_format(str(raw.get("message_format") or ""))
        except UserError as error:
            self._problem(error.message, "message_format", hint=error.hint)

    def _input(self, name: str, spec: Any) -> Input:
        spec = spec if isinstance(spec, Mapping) else {}
        kind = spec.get("type")
        if kind not in INPUT_TYPES:
            said = "has no type" if kind is None else f"has the unknown type {kind!r}"
            hint = did_you_mean(str(kind), INPUT_TYPES) or f"Types: {known_names(INPUT_TYPES)}."
            self._problem(f"Input {name!r} {said}.", "inputs", name, hint=hint)
        if kind == "assistant_definition":
            hint = "Read the definition's file in a Python node, and give its path as an input of type file_path."
            self._problem(
                f"Input {name!r} is an assistant definition, which is not supported.", "inputs", name, hint=hint
            )
        return Input(
            name=name,
            type=str(kind),
            default=spec.get("default"),
            description=spec.get("description"),
            is_chat_input=bool(spec.get("is_chat_input")),
            is_chat_history=bool(spec.get("is_chat_history", name == "chat_history")),
            where=self.file.where("inputs", name),
        )

    def _output(self, name: str, spec: Any) -> Output:
        spec = spec if isinstance(spec, Mapping) else {}
        if spec.get("reference") in (None, ""):
            self._problem(
                f"Output {name!r} has no reference.", "outputs", name, hint="Add 'reference: ${node.output}'."
            )
        return Output(
            name=name,
            value=self._value(spec.get("reference"), "outputs", name, "reference"),
            type=str(spec.get("type") or "string"),
            evaluation_only=bool(spec.get("evaluation_only")),
            is_chat_output=bool(spec.get("is_chat_output")),
            where=self.file.where("outputs", name),
        )

    def _value(self, raw: Any, *keys: str | int) -> Value:
        if isinstance(raw, str) and raw.startswith("${") and "}" not in raw:
            self.warnings.append(
                f"{self.file.where(*keys)}: {raw!r} has no closing brace, so it is taken as plain text."
            )
        try:
            return parse_value(raw)
        except ReferenceSyntaxError as error:
            self._problem(str(error), *keys)
            return Literal(raw)

    def _node(self, raw: Any, path: tuple[str | int, ...]) -> Node | None:
        if not isinstance(raw, Mapping) or not isinstance(raw.get("name"), str):
            self._problem("A node has no name.", *path)
            return None
        source = raw.get("source") if isinstance(raw.get("source"), Mapping) else {}
        assert isinstance(source, Mapping)
        inputs = raw.get("inputs") if isinstance(raw.get("inputs"), Mapping) else {}
        assert isinstance(inputs, Mapping)
        node = Node(
            name=raw["name"],
            type=str(raw.get("type")),
            source_type=str(source.get("type") or "code"),
            source_path=source.get("path"),
            source_tool=source.get("tool"),
            inputs={str(key): self._value(value, *path, "inputs", str(key)) for key, value in inputs.items()},
            connection=raw.get("connection") or None,
            api=raw.get("api"),
            module=raw.get("module"),
            activate=self._activate(raw, path),
            aggregation=bool(raw.get("aggregation", raw.get("reduce", False))),
            where=self.file.where(*path),
            cache=raw["enable_cache"] if isinstance(raw.get("enable_cache"), bool) else None,
        )
        self._check_source(node, path)
        for key in sorted(raw.keys() - set(NODE_KEYS), key=str):
            near = did_you_mean(str(key), NODE_KEYS)
            if near:  # other unknown keys are let pass silently, as prompt flow does
                self.warnings.append(f"{self.file.where(*path, str(key))}: unknown key {key!r} is ignored. {near}")
        return node

    def _activate(self, raw: Mapping[str, Any], path: tuple[str | int, ...]) -> Activate | None:
        rule = raw.get("activate")
        if rule is None:
            return None
        if not isinstance(rule, Mapping) or "when" not in rule or "is" not in rule:
            self._problem(f"'activate' of node {raw['name']!r} needs both 'when' and 'is'.", *path, "activate")
            return None
        return Activate(self._value(rule["when"], *path, "activate", "when"), rule["is"])

    def _check_source(self, node: Node, path: tuple[str | int, ...]) -> None:
        kind = (node.type, node.source_type)
        if kind not in NODE_KINDS:
            hint = "A node is python, prompt or llm with source type code; python with package; or custom_llm."
            self._problem(
                f"Node {node.name!r} has type {node.type!r} with source {node.source_type!r}.", *path, hint=hint
            )
        elif node.source_type != "code" and not node.source_tool:
            self._problem(f"Node {node.name!r} names no package tool.", *path, hint="Add 'tool: ID' to its source.")
        elif node.source_type == "package":
            pass  # a package tool has no file of the flow
        elif not isinstance(node.source_path, str) or not node.source_path:
            self._problem(
                f"Node {node.name!r} has no source path.", *path, hint="Add 'source: {type: code, path: FILE}'."
            )
        elif not (self.folder / node.source_path).is_file():
            self._problem(
                f"Node {node.name!r} reads the file {node.source_path!r}, which does not exist.",
                *path,
                "source",
                "path",
                hint=_near_file(self.folder, node.source_path),
            )
        if node.type == "llm" and not node.connection:
            self._problem(f"LLM node {node.name!r} has no connection.", *path, hint="Add 'connection: NAME'.")


def _near_file(folder: Path, wrong: str) -> str | None:
    return did_you_mean(wrong, [str(found.relative_to(folder)) for found in folder.glob("**/*.*")][:500])


def _identifier(text: str) -> str:
    return re.sub(r"\W", "_", text) or "flow"
