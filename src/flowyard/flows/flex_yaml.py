"""``flow.flex.yaml`` to a ``FlexFlow``, with every problem found at once."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from flowyard._util.suggest import did_you_mean, known_names
from flowyard._util.yamlfile import YamlFile
from flowyard.errors import FlowInvalid, Problem, UserError
from flowyard.flows.file_references import FileReferences, Keys
from flowyard.flows.includes import FlowFolder, resolve_folder
from flowyard.flows.model import FlexFlow, Input, Literal, Output

__all__ = ["ENTRY", "FLEX_KEYS", "FLEX_TYPES", "parse_flex"]

ENTRY = re.compile(r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$")
"""``module:Name``, as flex flows name their code."""

FLEX_TYPES = ("string", "int", "double", "bool", "list", "object")
"""The types that inputs, outputs and plain init values may have."""

_INIT_TYPES = re.compile(r"^(\w+Connection|AzureOpenAIModelConfiguration|OpenAIModelConfiguration)$")
FLEX_KEYS = (
    *("$schema", "id", "name", "display_name", "description", "tags", "version", "type", "language", "entry", "code"),
    *("inputs", "outputs", "init", "sample", "environment", "environment_variables", "additional_includes"),
    *("message_format", "path"),
)


def parse_flex(file: YamlFile) -> FlexFlow:
    """A checked flow. Raises FlowInvalid listing every problem with its line."""
    return _FlexReader(file).read()


class _FlexReader:
    """Reads one file; problems are collected on the way and raised together."""

    def __init__(self, file: YamlFile) -> None:
        self.file = file
        self.home = file.path.parent.resolve()
        self.problems: list[Problem] = []
        self.warnings = file.repeated_warnings()

    def read(self) -> FlexFlow:
        raw = self.file.data
        place = self._place()
        samples = self._samples(raw)
        self._check_rest(raw)
        flow = FlexFlow(
            name=str(raw.get("name") or re.sub(r"\W", "_", self.home.name) or "flow"),
            file=self.file.path,
            folder=place.folder,
            inputs=self._ports(raw, "inputs"),
            outputs={name: self._output(name, spec) for name, spec in self._mapping(raw, "outputs").items()},
            type=str(raw.get("type") or "standard"),
            environment_variables=self._mapping(raw, "environment_variables"),
            entry=self._entry(raw),
            init=self._ports(raw, "init"),
            sample_inputs=samples["inputs"],
            sample_init=samples["init"],
            where=self.file.where("entry"),
            warnings=(*place.warnings, *self.warnings),
            keep=place.keep,
        )
        if self.problems:
            self._raise()
        return flow

    def _place(self) -> FlowFolder:
        """Where the code runs; the file's own folder when what says otherwise is wrong."""
        try:
            return resolve_folder(self.file)
        except FlowInvalid as error:
            self.problems += error.problems
            return FlowFolder(self.home)

    def _entry(self, raw: Mapping[str, Any]) -> str:
        entry = raw.get("entry")
        if not isinstance(entry, str) or not ENTRY.match(entry):
            hint = "Write 'entry: module:Name', for a function or class Name in module.py."
            self._problem(f"'entry' is {entry!r}, which does not name code.", "entry", hint=hint)
        return str(entry)

    def _samples(self, raw: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
        """What stands in for missing inputs and init values, with ``${file:…}`` and ``${env:…}`` resolved."""
        references = FileReferences(self.home, self._warn, self._blame)
        sample = self._mapping({"sample": references.resolve(raw.get("sample"), ("sample",))}, "sample")
        for key in sample:
            if key not in ("inputs", "init"):
                near = did_you_mean(str(key), ("inputs", "init"))
                hint = near or "Inputs stand under 'sample.inputs', arguments of a class under 'sample.init'."
                self._problem(f"'sample' has the unknown key {key!r}.", "sample", str(key), hint=hint)
        return {key: self._mapping(sample, "sample", key) for key in ("inputs", "init")}

    def _ports(self, raw: Mapping[str, Any], key: str) -> dict[str, Input]:
        """The inputs, or the init parameters, that the file declares."""
        return {name: self._port(key, name, spec) for name, spec in self._mapping(raw, key).items()}

    def _port(self, key: str, name: str, spec: Any) -> Input:
        kind = self._type(key, name, spec)
        spec = spec if isinstance(spec, Mapping) else {}
        return Input(
            name=name,
            type=kind,
            default=spec.get("default"),
            description=spec.get("description"),
            is_chat_input=bool(spec.get("is_chat_input")),
            is_chat_history=bool(spec.get("is_chat_history", key == "inputs" and name == "chat_history")),
            where=self.file.where(key, name),
        )

    def _output(self, name: str, spec: Any) -> Output:
        kind = self._type("outputs", name, spec)
        spec = spec if isinstance(spec, Mapping) else {}
        return Output(
            name=name,
            value=Literal(None),
            type=kind,
            evaluation_only=bool(spec.get("evaluation_only")),
            is_chat_output=bool(spec.get("is_chat_output")),
            where=self.file.where("outputs", name),
        )

    def _type(self, key: str, name: str, spec: Any) -> str:
        kind = spec.get("type") if isinstance(spec, Mapping) else None
        if kind in FLEX_TYPES or (key == "init" and isinstance(kind, str) and _INIT_TYPES.match(kind)):
            return str(kind)
        said = "has no type" if kind is None else f"has the unknown type {kind!r}"
        more = ", the name of a connection class or of a model configuration" if key == "init" else ""
        hint = did_you_mean(str(kind), FLEX_TYPES) or f"Types: {known_names(FLEX_TYPES)}{more}."
        self._problem(f"'{key}.{name}' {said}.", key, name, hint=hint)
        return "object"

    def _check_rest(self, raw: Mapping[str, Any]) -> None:
        if raw.get("language") == "csharp":
            self._problem("C# flows are not supported.", "language", hint="flowyard runs Python flows.")
        for key in sorted(raw.keys() - set(FLEX_KEYS), key=str):
            near = did_you_mean(str(key), FLEX_KEYS)
            said = f"unknown key {key!r} is ignored."
            self._warn((str(key),), f"{said} {near}" if near else said)

    def _mapping(self, owner: Mapping[str, Any], *keys: str) -> dict[str, Any]:
        value = owner.get(keys[-1])
        if value is not None and not isinstance(value, Mapping):
            self._problem(f"'{'.'.join(keys)}' must be a mapping.", *keys)
        return {str(key): item for key, item in value.items()} if isinstance(value, Mapping) else {}

    def _problem(self, message: str, *keys: str | int, hint: str | None = None) -> None:
        self.problems.append(Problem(message, self.file.where(*keys), hint))

    def _warn(self, keys: Keys, message: str) -> None:
        self.warnings.append(f"{self.file.where(*keys)}: {message}")

    def _blame(self, keys: Keys, error: UserError) -> None:
        self._problem(error.message, *keys, hint=error.hint)

    def _raise(self) -> None:
        unique = list(dict.fromkeys(self.problems))
        count = "1 problem" if len(unique) == 1 else f"{len(unique)} problems"
        raise FlowInvalid(f"{self.file.path} cannot be run ({count}):", unique)
