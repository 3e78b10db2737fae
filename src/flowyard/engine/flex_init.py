"""The arguments that a flex flow's class is made with.

Names of connections become connection objects, mappings become model configurations; what nobody gives is left to
Python's defaults. No message says a value: it may be a secret.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from flowyard._util.redact import redact
from flowyard._util.suggest import did_you_mean, known_names
from flowyard.engine.flex_entry import FlexEntry, Parameter
from flowyard.errors import FlowyardError, UserError
from flowyard.flows.coerce import CoercionError, coerce
from flowyard.flows.model import FlexFlow, Input
from flowyard.llm import connection as connection_classes
from flowyard.llm.connection import (
    Connection,
    CustomConnection,
    CustomStrongTypeConnection,
    OpenAIConnection,
    SimulatedConnection,
)
from flowyard.llm.connections import Connections
from flowyard.llm.model_configuration import MODEL_CONFIGURATIONS, ModelConfiguration

__all__ = ["init_arguments", "instantiate"]


def init_arguments(
    flow: FlexFlow, entry: FlexEntry, given: Mapping[str, Any], connections: Connections
) -> dict[str, Any]:
    """What the class is made with; the flow's sample when nothing is given at all.

    ``flow`` is complete. Raises UserError for missing, unknown or misfit values, ConnectionMissing.
    """
    if not entry.is_class:
        if given or flow.init_values:
            message = f"{entry.label} is not a class, so it takes no init values."
            raise UserError(message, hint="Leave out --init and the parameters init.….", where=entry.where)
        return {}
    values = {**(given or flow.sample_init), **flow.init_values}
    _require_known(values, entry)
    for name, declared in flow.init.items():
        if name not in values and declared.default is not None and not declared.nullable:
            values[name] = declared.default
    _require_all(values, flow, entry)
    return {
        name: _InitValue(entry.init_parameters.get(name), flow.init.get(name), entry, connections).resolve(value)
        for name, value in values.items()
    }


def instantiate(entry: FlexEntry, arguments: Mapping[str, Any]) -> Any:
    """The object whose call runs a line: an instance of the class, or the target itself. Raises UserError."""
    if not entry.is_class:
        return entry.target
    try:
        return entry.target(**arguments)
    except FlowyardError:
        raise
    except (Exception, SystemExit) as error:
        said = redact(str(error), _texts(arguments))
        message = f"The class {entry.label} cannot be made: ({type(error).__name__}) {said}"
        raise UserError(message, where=entry.where) from error


def _texts(value: Any) -> Iterator[str]:
    """Every text in the arguments, to be hidden."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Connection):
        yield from value.secret_values()
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _texts(item)
    elif isinstance(value, ModelConfiguration):
        yield from _texts(vars(value))


def _require_known(values: Mapping[str, Any], entry: FlexEntry) -> None:
    if entry.takes_any_init:
        return
    for name in values:
        if name not in entry.init_parameters:
            hint = did_you_mean(name, entry.init_parameters) or f"It takes: {known_names(entry.init_parameters)}."
            raise UserError(f"The class {entry.label} takes no init value {name!r}.", hint=hint, where=entry.where)


def _require_all(values: Mapping[str, Any], flow: FlexFlow, entry: FlexEntry) -> None:
    missing = [name for name, each in entry.init_parameters.items() if name not in values and not each.has_default]
    if missing:
        form = " ".join(f"{name}=…" for name in missing)
        message = f"The class {entry.label} needs init values for: {known_names(missing)}."
        hint = f"Add --init {form}, or give defaults under 'init' or 'sample.init' in {flow.file.name}."
        raise UserError(message, hint=hint, where=entry.where)


@dataclass(frozen=True, slots=True)
class _InitValue:
    """One parameter of ``__init__`` and what the file says of it."""

    parameter: Parameter | None
    declared: Input | None
    entry: FlexEntry
    connections: Connections

    @property
    def label(self) -> str:
        name = self.parameter.name if self.parameter else ""
        return f"Init value {name!r} of {self.entry.label}"

    def resolve(self, value: Any) -> Any:
        """The argument itself. Raises UserError, ConnectionMissing."""
        if self.parameter is None or value is None:
            return value
        configurations = self._configurations()
        if configurations:
            return self._configuration(configurations, value)
        wanted = self._connection_classes()
        if wanted:
            return self._connection(wanted, value)
        return self._plain(value)

    def _members(self) -> tuple[Any, ...]:
        assert self.parameter is not None
        return self.parameter.members if self.parameter.is_annotated else ()

    def _configurations(self) -> list[type[ModelConfiguration]]:
        names = [getattr(member, "__name__", member) for member in self._members()]
        names = names or [self.declared.type if self.declared else ""]
        return [MODEL_CONFIGURATIONS[str(name)] for name in names if str(name) in MODEL_CONFIGURATIONS]

    def _connection_classes(self) -> tuple[type[Connection], ...]:
        found = tuple(each for each in self._members() if isinstance(each, type) and issubclass(each, Connection))
        if len(found) > 1:
            raise self._wrong("may be one of several kinds of connection", "Annotate it with one connection class.")
        if not found and self.declared is not None:
            named = getattr(connection_classes, self.declared.type, None)
            if inspect.isclass(named) and issubclass(named, Connection):
                return (named,)
        return found

    def _connection(self, wanted: tuple[type[Connection], ...], value: Any) -> Connection:
        found = value
        if not isinstance(value, Connection):
            if not isinstance(value, str):
                raise self._wrong("must be the name of a connection")
            found = self.connections.get(value, needed_by=f"{self.label} ({self.entry.where})")
        (kind,) = wanted
        if issubclass(kind, CustomStrongTypeConnection) and type(found) is CustomConnection:
            return found.to_strong_type(kind)
        if not isinstance(found, kind):
            raise self._wrong(f"must be a {kind.__name__}; connection {found.name!r} is of type {type(found).__name__}")
        return found

    def _configuration(self, kinds: list[type[ModelConfiguration]], value: Any) -> ModelConfiguration:
        if len(kinds) > 1:
            raise self._wrong("may be one of several model configurations", "Annotate it with one of them.")
        made = self._made(kinds[0], value)
        if isinstance(made.connection, str):
            found = self.connections.get(made.connection, needed_by=f"{self.label} ({self.entry.where})")
            return made.with_connection(found)
        # A key that the configuration says itself is hidden from now on like those of connections.
        adopted = self.connections.adopt(self.label, lambda: OpenAIConnection(_key_of(made), name=self.label))
        return made.with_connection(adopted) if isinstance(adopted, SimulatedConnection) else made

    def _made(self, kind: type[ModelConfiguration], value: Any) -> ModelConfiguration:
        value = _decoded(value) if isinstance(value, str) else value
        if isinstance(value, Mapping):
            try:
                return kind.from_mapping(value)
            except UserError as error:
                raise UserError(f"{self.label}: {error.message}", hint=error.hint, where=self.entry.where) from None
        if not isinstance(value, kind):
            hint = "Write it in a JSON file, --init FILE.json, or as JSON: NAME='{\"connection\": …}'."
            raise self._wrong(f"must be a mapping of the fields of {kind.__name__}", hint)
        return value

    def _plain(self, value: Any) -> Any:
        """Text, as a command line gives it, as the number, flag, list or mapping that is asked for."""
        kind = self.declared.type if self.declared is not None else "string"
        if not isinstance(value, str) or kind == "string":
            return value
        try:
            return coerce(value, kind)
        except CoercionError:
            raise self._wrong(f"is not a valid {kind}") from None

    def _wrong(self, message: str, hint: str | None = None) -> UserError:
        return UserError(f"{self.label} {message}.", hint=hint, where=self.entry.where)


def _key_of(configuration: ModelConfiguration) -> str | None:
    key = getattr(configuration, "api_key", None)
    return key if isinstance(key, str) else None


def _decoded(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
