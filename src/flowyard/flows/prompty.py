"""``.prompty`` files to a ``PromptyFlow``, with every problem found at once."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from flowyard._util.suggest import did_you_mean, known_names
from flowyard.errors import FlowInvalid, Problem, UserError
from flowyard.flows.file_references import FileReferences, Keys
from flowyard.flows.front_matter import read_front_matter
from flowyard.flows.model import INPUT_TYPES, Input, Literal, Output, PromptyFlow
from flowyard.flows.tool_definitions import check_tools

__all__ = ["load_prompty"]

_KEYS = (
    *("name", "description", "authors", "tags", "version", "base", "model", "inputs", "outputs", "sample", "template"),
    *("environment_variables", "language"),
)
_MODEL_KEYS = ("api", "configuration", "parameters", "response")
_WHICH_MODEL = ("type", "azure_deployment", "model")
_CONFIGURATION_KEYS = (
    *(*_WHICH_MODEL, "connection", "api_key", "api_version", "azure_endpoint", "api_base", "endpoint", "api_type"),
    *("auth_mode", "resource_id", "base_url", "organization"),
)
_APIS = ("chat", "completion")
_SCHEMA_TYPES = {"number": "double", "integer": "int", "boolean": "bool", "array": "list", "float": "double"}


def load_prompty(
    path: Path, overrides: Mapping[str, Any] | None = None, configuration: Mapping[str, Any] | None = None
) -> PromptyFlow:
    """Read a file; ``overrides`` are laid over its front matter, mappings key by key.

    ``configuration`` takes the place of the file's model configuration as a whole. In both, ``connection`` may be a
    connection object instead of a name. Raises UserError when the file cannot be read, FlowInvalid listing every
    problem with file:line.
    """
    return _PromptyReader(path, overrides or {}, configuration).read()


class _PromptyReader:
    """Reads one file; problems are collected on the way and raised together."""

    def __init__(self, path: Path, overrides: Mapping[str, Any], configuration: Mapping[str, Any] | None) -> None:
        self.file = read_front_matter(path)
        self.path = path
        self.folder = path.parent.resolve()
        self.overrides = overrides
        self.instead = configuration
        self.problems: list[Problem] = []
        self.warnings = self.file.yaml.repeated_warnings()

    def read(self) -> PromptyFlow:
        data = self._front_matter()
        model = self._mapping(data, "model")
        parameters = self._mapping(model, "model", "parameters")
        sample = self._sample(data.get("sample"))
        outputs = self._outputs(data)
        self._check(data, model, parameters)
        flow = PromptyFlow(
            name=str(data.get("name") or self.path.stem),
            file=self.path,
            folder=self.folder,
            inputs=self._inputs(data, sample),
            outputs=outputs or {"output": Output("output", Literal(None))},
            environment_variables=self._mapping(data, "environment_variables"),
            template=self.file.text,
            template_line=self.file.first_line,
            api=self._api(model),
            configuration=self._configuration(model),
            parameters=parameters,
            response=self._response(model),
            sample=sample,
            declared_outputs=bool(outputs),
            where=self.file.yaml.where("model", "configuration"),
            warnings=tuple(self.warnings),
        )
        if self.problems:
            self._raise()
        if outputs and not flow.answers_json:
            at = self.file.yaml.where("outputs")
            hint = "'response_format: {type: json_object}' in the parameters makes it those outputs"
            warning = f"{at}: the model's answer is one text, named 'output'; {hint}."
            return replace(flow, warnings=(*flow.warnings, warning))
        return flow

    def _front_matter(self) -> dict[str, Any]:
        """The front matter with references resolved and overrides laid over it."""
        raw = self.file.yaml.data
        if not isinstance(raw, Mapping):
            raw = {}
            self._problem("The front matter is not a YAML mapping.")
        references = FileReferences(self.folder, self._warn, self._blame)
        merged: dict[str, Any] = _merged(references.resolve(dict(raw)), references.resolve(dict(self.overrides)))
        if self.instead is not None:
            model = merged.get("model")
            other = {"configuration": references.resolve(dict(self.instead))}
            merged["model"] = {**model, **other} if isinstance(model, Mapping) else other
        return merged

    def _mapping(self, owner: Mapping[str, Any], *keys: str) -> dict[str, Any]:
        value = owner.get(keys[-1])
        if value is not None and not isinstance(value, Mapping):
            self._problem(f"'{'.'.join(keys)}' must be a mapping.", *keys)
        return dict(value) if isinstance(value, Mapping) else {}

    def _sample(self, sample: Any) -> dict[str, Any]:
        if isinstance(sample, str) and sample.endswith(".json"):
            sample = self._sample_file(sample.removeprefix("file:"))
        if sample is not None and not isinstance(sample, Mapping):
            self._problem("'sample' must be a mapping of inputs, or the path of a .json file that holds one.", "sample")
        return dict(sample) if isinstance(sample, Mapping) else {}

    def _sample_file(self, name: str) -> Any:
        """The data of a file beside the prompty or, as in prompt flow, in the working directory."""
        path = next((path for path in (self.folder / name, Path(name)) if path.is_file()), None)
        if path is None:  # only who gives no inputs needs it
            self._warn(("sample",), f"the sample file {name} does not exist; its path is relative to the prompty.")
            return None
        try:
            return json.loads(path.read_text(encoding="utf-8-sig"))
        except (OSError, ValueError) as error:
            self._problem(f"The sample file {name} cannot be read: {error}.", "sample")
        return None

    def _inputs(self, data: Mapping[str, Any], sample: Mapping[str, Any]) -> dict[str, Input]:
        """The declared inputs; without any, those that the sample shows."""
        declared = self._mapping(data, "inputs")
        if not declared:
            return {name: self._input(name, {"type": _type_of(value)}, sample) for name, value in sample.items()}
        return {str(name): self._input(str(name), spec, sample) for name, spec in declared.items()}

    def _input(self, name: str, spec: Any, sample: Mapping[str, Any]) -> Input:
        if not isinstance(spec, Mapping):
            self._problem(f"Input {name!r} must be a mapping, such as {{type: string}}.", "inputs", name)
            spec = {"type": "string"}
        kind = spec.get("type") or _type_of(spec.get("default", sample.get(name, "")))
        kind = _SCHEMA_TYPES.get(kind, kind)
        if kind not in INPUT_TYPES:
            hint = did_you_mean(str(kind), INPUT_TYPES) or f"Types: {known_names(INPUT_TYPES)}."
            self._problem(f"Input {name!r} has the unknown type {kind!r}.", "inputs", name, hint=hint)
        return Input(
            name=name,
            type=str(kind),
            default=spec.get("default"),
            description=spec.get("description"),
            is_chat_input=bool(spec.get("is_chat_input")),
            is_chat_history=bool(spec.get("is_chat_history", name == "chat_history")),
            where=self.file.yaml.where("inputs", name),
            nullable="default" in spec and spec["default"] is None,
        )

    def _outputs(self, data: Mapping[str, Any]) -> dict[str, Output]:
        """Only the names count; any type is let pass."""
        declared = self._mapping(data, "outputs")
        return {str(name): self._output(str(name), spec) for name, spec in declared.items()}

    def _output(self, name: str, spec: Any) -> Output:
        kind = str(spec.get("type") or "string") if isinstance(spec, Mapping) else "string"
        kind = _SCHEMA_TYPES.get(kind, kind)
        return Output(name, Literal(None), type=kind, where=self.file.yaml.where("outputs", name))

    def _api(self, model: Mapping[str, Any]) -> str:
        api = str(model.get("api") or "chat")
        if api not in _APIS:
            hint = did_you_mean(api, _APIS) or "Use 'chat' or 'completion'."
            self._problem(f"There is no model api {api!r}.", "model", "api", hint=hint)
        return api

    def _response(self, model: Mapping[str, Any]) -> str:
        response = model.get("response") or "first"
        if response not in ("first", "all"):
            self._warn(("model", "response"), f"'response' is first or all; {response!r} is taken as first.")
        return "all" if response == "all" else "first"

    def _configuration(self, model: Mapping[str, Any]) -> dict[str, Any]:
        keys = ("model", "configuration")
        configuration = self._mapping(model, *keys)
        if not configuration and model.get("configuration") in (None, {}):
            hint = "Add 'configuration: {type: azure_openai, azure_deployment: NAME}', or another."
            self._problem("The prompty does not say which model to ask.", *keys, hint=hint)
            return {}
        connection = configuration.get("connection")
        own = [str(key) for key, value in configuration.items() if value and key not in (*_WHICH_MODEL, "connection")]
        if connection and own:
            hint = "Name a connection, or say address and key, not both."
            message = f"The configuration has a connection and also sets {known_names(own)}."
            self._problem(message, *keys, own[0], hint=hint)
        if not connection and not _is_known_type(configuration.get("type")):
            self._unknown_type(configuration.get("type"))
        return configuration

    def _unknown_type(self, kind: Any) -> None:
        known = ("azure_openai", "openai")
        said = "The configuration has no type." if kind is None else f"The configuration has the unknown type {kind!r}."
        near = did_you_mean(str(kind), known) or "Add 'type: azure_openai' or 'type: openai', or name a connection."
        self._problem(said, "model", "configuration", "type", hint=near)

    def _check(self, data: Mapping[str, Any], model: Mapping[str, Any], parameters: Mapping[str, Any]) -> None:
        for keys, message in check_tools(parameters):
            self._problem(message, "model", "parameters", *keys)
        if not self.file.text.strip():
            self.problems.append(Problem("There is no prompt.", f"{self.path.name}:{self.file.first_line}"))
        if self.file.ignored:
            self.warnings.append(f"{self.path.name}:1: what stands before the first line of dashes is ignored.")
        self._warn_unknown(data, _KEYS)
        self._warn_unknown(model, _MODEL_KEYS, "model")
        configuration = model.get("configuration")
        if isinstance(configuration, Mapping):
            self._warn_unknown(configuration, _CONFIGURATION_KEYS, "model", "configuration")

    def _warn_unknown(self, mapping: Mapping[str, Any], known: tuple[str, ...], *keys: str) -> None:
        for key in mapping:
            near = did_you_mean(str(key), known) if key not in known else None
            if near:  # other unknown keys are let pass silently, as prompt flow does
                self._warn((*keys, str(key)), f"unknown key {key!r} is ignored. {near}")

    def _warn(self, keys: Keys, message: str) -> None:
        self.warnings.append(f"{self.file.yaml.where(*keys)}: {message}")

    def _blame(self, keys: Keys, error: UserError) -> None:
        self._problem(error.message, *keys, hint=error.hint)

    def _problem(self, message: str, *keys: str | int, hint: str | None = None) -> None:
        self.problems.append(Problem(message, self.file.yaml.where(*keys), hint))

    def _raise(self) -> None:
        unique = list(dict.fromkeys(self.problems))
        count = "1 problem" if len(unique) == 1 else f"{len(unique)} problems"
        raise FlowInvalid(f"{self.path} cannot be run ({count}):", unique)


def _merged(below: Any, above: Any) -> Any:
    """``above`` laid over ``below``; mappings are merged key by key, anything else is replaced."""
    if not isinstance(below, Mapping) or not isinstance(above, Mapping):
        return above
    return {**below, **{key: _merged(below[key], value) if key in below else value for key, value in above.items()}}


def _is_known_type(kind: Any) -> bool:
    """Whether the type is one of ``azure_openai``, ``azure_open_ai``, ``AzureOpenAI`` and likewise ``openai``."""
    plain = str(kind).replace("_", "").lower()
    return plain.removesuffix("connection") in ("azureopenai", "openai")


def _type_of(value: Any) -> str:
    """The input type that a sample value shows."""
    if isinstance(value, bool):
        return "bool"
    names: tuple[tuple[type, str], ...] = ((int, "int"), (float, "double"), (str, "string"), (list, "list"))
    return next((name for kind, name in names if isinstance(value, kind)), "object")
