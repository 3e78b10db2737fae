"""The places that know connections by name, and how they add up.

The first source that knows a name wins. Single fields in the environment (``<NAME>_<FIELD>``) are laid over a
connection that another source declares; alone they make a connection; over a simulated one they replace it.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flowyard._util.suggest import did_you_mean, known_names
from flowyard.abc import ConnectionSource
from flowyard.errors import ConnectionMissing, UserError
from flowyard.llm.connection import Connection, SimulatedConnection
from flowyard.llm.connection_parsing import connection_class, fill_from_environment, parse_connection
from flowyard.llm.envfile import read_env

if TYPE_CHECKING:
    from flowyard._util.yamlfile import YamlFile

__all__ = [
    "Connections",
    "DeclaredSource",
    "EnvFileSource",
    "EnvironmentSource",
    "FoundConnection",
    "SimulateEverything",
    "YamlSource",
]

_REFERENCE = re.compile(r"\$\{\{\s*azureml://connections/([^/{}\s]+)\s*\}\}")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 _-]{0,63}")
_FIELDS = ("type", "api_key", "api_base", "api_version", "organization", "base_url")
_ENOUGH = frozenset({"api_key", "base_url", "type"})
_MARKS = frozenset({"type", "api_type", "api_key", "api_base", "base_url", "configs", "secrets", "rules"})


class EnvironmentSource(ConnectionSource):
    """Variables: one named like the connection that holds a JSON object, or one for each field."""

    def __init__(self, environ: Mapping[str, str], label: str = "environment", folder: Path | None = None) -> None:
        self.environ = environ
        self.label = label
        self.folder = folder

    def find(self, name: str) -> Connection | None:
        """The connection from its JSON variable, else from its fields when they suffice to make one."""
        whole = self.find_whole(name)
        return whole if whole is not None else self.find_fields(name)

    def find_whole(self, name: str) -> Connection | None:
        """The connection that one variable holds as a JSON object."""
        for variable in dict.fromkeys((name, _variable(name), name.upper(), _variable(name).upper())):
            text = self.environ.get(variable, "").strip()
            if text.startswith("{"):
                return parse_connection(name, self._object(variable, text), f"{self.label}: {variable}", self.folder)
        return None

    def find_other(self, name: str) -> str | None:
        """The name of the connection that a variable puts in the place of this one."""
        for variable in dict.fromkeys((name, _variable(name), name.upper(), _variable(name).upper())):
            found = _REFERENCE.fullmatch(self.environ.get(variable, "").strip())
            if found is not None:
                return found[1]
        return None

    def find_plain(self, name: str) -> str | None:
        """The text of a variable named exactly like the connection, if it may be another connection's name."""
        text = self.environ.get(name.replace(" ", "_"), "").strip()
        return text if _NAME.fullmatch(text) else None

    def fields(self, name: str, fields: Iterable[str] = _FIELDS) -> dict[str, str]:
        """The values of ``<NAME>_<FIELD>`` that are set."""
        found = {field: self.environ.get(f"{_variable(name)}_{_variable(field)}".upper(), "") for field in fields}
        return {field: value for field, value in found.items() if value}

    def find_fields(self, name: str) -> Connection | None:
        """The connection that ``<NAME>_<FIELD>`` variables make, OpenAI unless they say; None when too few."""
        fields = self.fields(name)
        kind = connection_class(fields.get("type", ""))
        if kind is not None:
            fields = {"type": fields["type"], **self.fields(name, kind.FIELDS)}
        elif not _ENOUGH & fields.keys():
            return None
        return parse_connection(name, fields, f"{self.label}: {_variable(name).upper()}_*", self.folder)

    def names(self) -> list[str]:
        """Variables whose JSON looks like a connection."""
        return [variable for variable, text in self.environ.items() if _looks_like_connection(text)]

    def _object(self, variable: str, text: str) -> dict[str, Any]:
        try:
            value: dict[str, Any] = json.loads(text)
        except ValueError as error:
            detail = f"{error.msg} at column {error.colno}" if isinstance(error, json.JSONDecodeError) else "invalid"
            raise UserError(f"The variable {variable} is not a JSON object: {detail}.", where=self.label) from None
        return value


class EnvFileSource(EnvironmentSource):
    """The variables of an ``.env`` file, read once. Raises UserError when the file is not readable."""

    def __init__(self, path: Path) -> None:
        super().__init__(read_env(path), path.name, path.parent)


class YamlSource(ConnectionSource):
    """Connection YAML files of prompt flow; ``${env:NAME}`` values come from ``environ``."""

    label = "connection files"

    def __init__(self, paths: Sequence[Path], environ: Mapping[str, str]) -> None:
        self._paths = tuple(paths)
        self._environ = environ

    @cached_property
    def _files(self) -> dict[str, YamlFile]:
        from flowyard._util.yamlfile import read_yaml  # noqa: PLC0415 - heavy, and most names are found before

        files: dict[str, YamlFile] = {}
        for path in self._paths:
            file = read_yaml(path)
            if not isinstance(file.data, dict):
                raise UserError("A connection file must be a mapping.", where=f"{path.name}:1")
            files.setdefault(str(file.data.get("name") or path.stem), file)
        return files

    def find(self, name: str) -> Connection | None:
        return self.find_with(name, {})

    def find_with(self, name: str, fields: Mapping[str, str]) -> Connection | None:
        """The connection with some fields replaced before anything is checked."""
        file = self._files.get(name)
        if file is None:
            return None
        own = {key: value for key, value in file.data.items() if key not in fields}
        data = fill_from_environment(own, self._environ, file.where)
        for key, value in fields.items():
            _put(data, key, value)
        return parse_connection(name, data, file.where(), file.path.parent)

    def declared_fields(self, name: str) -> list[str]:
        """The fields that the environment may replace: those of the type and, for custom ones, those in the file."""
        if name not in self._files:
            return []
        data = self._files[name].data
        inner = [key for part in ("configs", "secrets") if isinstance(data.get(part), dict) for key in data[part]]
        kind = connection_class(str(data.get("type") or data.get("api_type") or ""))
        fields = inner or (kind.FIELDS if kind else ("api_key",))
        return [str(field) for field in fields]

    def names(self) -> list[str]:
        return list(self._files)

    def declared_type(self, name: str) -> str | None:
        data = self._files[name].data if name in self._files else {}
        return str(data.get("type") or data.get("api_type") or "") or None

    def origin(self, name: str) -> str:
        return str(self._files[name].path) if name in self._files else self.label


class DeclaredSource(ConnectionSource):
    """Connections that are already built, by their names."""

    label = "declared"

    def __init__(self, connections: Iterable[Connection]) -> None:
        self._connections = {connection.name: connection for connection in connections if connection.name}

    def find(self, name: str) -> Connection | None:
        return self._connections.get(name)

    def names(self) -> list[str]:
        return list(self._connections)


class SimulateEverything(ConnectionSource):
    """Answers every name with the simulated model; put it first to leave all real services alone."""

    label = "simulation"
    overrules = True

    def __init__(self, rules: Path, seed: int | None = None) -> None:
        self._rules = rules
        self._seed = seed

    def find(self, name: str) -> Connection | None:
        return SimulatedConnection(self._rules, self._seed, name=name)

    def names(self) -> list[str]:
        return []


@dataclass(frozen=True, slots=True)
class FoundConnection:
    """A connection and where it came from, for example ``environment`` or the path of a file."""

    connection: Connection
    origin: str


class Connections:
    """All sources as one; the first that knows a name wins."""

    def __init__(self, sources: Sequence[ConnectionSource]) -> None:
        self.sources = tuple(sources)
        self._given: list[Connection] = []
        self._hidden: dict[str, None] = {}

    def secrets(self) -> list[str]:
        """Every secret of the connections that were handed out, and what is to be hidden beside them, for redaction."""
        return [*(secret for connection in self._given for secret in connection.secret_values()), *self._hidden]

    def hide(self, secrets: Iterable[str]) -> None:
        """Count these as secrets, too."""
        self._hidden.update(dict.fromkeys(secrets))

    def given(self) -> list[Connection]:
        """The connections that were handed out, each once, in the order of their first use."""
        return list({connection.name: connection for connection in self._given}.values())

    @property
    def has_simulated(self) -> bool:
        """Whether a simulated model was handed out, so that what it answers can be marked."""
        return any(isinstance(connection, SimulatedConnection) for connection in self._given)

    def names(self) -> list[str]:
        """Every name that is known for certain, without repeats."""
        return list(dict.fromkeys(name for source in self.sources for name in source.names()))

    def get(
        self,
        name: str,
        *,
        needed_by: str,
        kinds: Sequence[type[Connection]] = (),  # noqa: ARG002 - for stand-ins in a replay
    ) -> Connection:
        """The connection of that name.

        ``needed_by`` starts the error's sentence, for example ``Node 'classify' (flow.dag.yaml:12)``, and ``kinds`` are
        the classes it may have there. Raises ConnectionMissing when no source knows the name and UserError when a
        source has it malformed.
        """
        found = self.find(name)
        if found is None:
            raise self._missing(name, needed_by)
        return self._hand_out(found.connection)

    def adopt(self, name: str, make: Callable[[], Connection]) -> Connection:
        """A connection that is declared outside of the sources, for example inside a prompty, as calls must use it.

        ``make`` gives it, unless a source overrules every connection; ``name`` is the name it then goes by. Its secrets
        count as handed out. Raises what ``make`` raises.
        """
        overruled = next((source.find(name) for source in self.sources if source.overrules), None)
        return self._hand_out(overruled or make())

    def variable(self, name: str) -> str | None:
        """An environment variable of the process or of an ``.env`` file that is read; None when it is not set."""
        environments = [source.environ for source in self.sources if isinstance(source, EnvironmentSource)]
        values = (environ.get(name) for environ in (os.environ, *environments))
        return next((value for value in values if value), None)

    def _hand_out(self, connection: Connection) -> Connection:
        if connection not in self._given:
            self._given.append(connection)
        return connection

    def find(self, name: str) -> FoundConnection | None:
        """The connection of that name and its origin, or None. Raises UserError when a source has it malformed.

        A variable of that name may hold the name of the connection to take in its place, as deployments of Azure ML
        have it: ``${{azureml://connections/NAME}}``, or the name alone, if there is a connection of it.
        """
        environments = [source for source in self.sources if isinstance(source, EnvironmentSource)]
        environment = _joined(environments)
        other = environment.find_other(name)
        if other is not None and other != name:
            return self._in_place_of(name, self._find(other), environment)
        plain = environment.find_plain(name)
        if plain is not None and plain != name and (found := self._find(plain)) is not None:
            return self._in_place_of(name, found, environment)
        return self._find(name)

    @staticmethod
    def _in_place_of(
        name: str, found: FoundConnection | None, environment: EnvironmentSource
    ) -> FoundConnection | None:
        """Another connection, with the fields that variables of this name put over it."""
        return found if found is None else _overlaid(found, name, environment)

    def _find(self, name: str) -> FoundConnection | None:
        environments: list[EnvironmentSource] = []
        for source in self.sources:
            if isinstance(source, EnvironmentSource):
                environments.append(source)
                found = source.find_whole(name)
            else:
                found = _find_declared(source, name, _joined(environments))
            if found is not None:
                return _overlaid(FoundConnection(found, source.origin(name)), name, _joined(environments))
        alone = _joined(environments)
        made = alone.find_fields(name)
        return FoundConnection(made, alone.label) if made is not None else None

    def origins(self, name: str) -> list[str]:
        """The origins that know the name for certain, the one that counts first."""
        return [source.origin(name) for source in self.sources if name in source.names()]

    def _missing(self, name: str, needed_by: str) -> ConnectionMissing:
        known = self.names()
        variable = _variable(name).upper()
        near = did_you_mean(name, known)
        hint = [
            *([near] if near else [f"Known connections: {known_names(known)}."] if known else []),
            f"For OpenAI: export {variable}_API_KEY=…  (for Azure OpenAI also {variable}_API_BASE=https://… and "
            f"{variable}_TYPE=azure_open_ai)",
            f"""or as JSON: export {variable}='{{"type": "azure_open_ai", "api_key": "…", "api_base": "https://…"}}'""",
            f"or stored, encrypted: flowyard connection create -n '{name}' --file CONNECTION.yaml",
            "To go on without a key: --simulate RULES.yaml",
        ]
        return ConnectionMissing(f"{needed_by} needs the connection {name!r}, which is not set.", hint="\n".join(hint))


def _joined(environments: Sequence[EnvironmentSource]) -> EnvironmentSource:
    """Several environments as one; a variable of an earlier one wins."""
    label = ", ".join(environment.label for environment in environments)
    folder = next((environment.folder for environment in environments if environment.folder), None)
    variables = {key: value for each in reversed(environments) for key, value in each.environ.items() if value}
    return EnvironmentSource(variables, label, folder)


def _find_declared(source: ConnectionSource, name: str, environment: EnvironmentSource) -> Connection | None:
    if isinstance(source, YamlSource):
        return source.find_with(name, environment.fields(name, source.declared_fields(name)))
    return source.find(name)


def _overlaid(found: FoundConnection, name: str, environment: EnvironmentSource) -> FoundConnection:
    given = environment.fields(name)
    kind = connection_class(given.get("type", ""))
    declared = found.connection
    other_kind = kind is not None and declared.type != kind.TYPE
    if other_kind or (isinstance(declared, SimulatedConnection) and {"api_key", "base_url"} & given.keys()):
        made = environment.find_fields(name)
        return FoundConnection(made, environment.label) if made is not None else found
    aliased = {declared.ALIASES.get(field, field): value for field, value in given.items()}
    own = {field: value for field, value in aliased.items() if field in declared}
    own.update(environment.fields(name, declared.keys()))
    if not own:
        return found
    return FoundConnection(declared.with_fields(own), f"{found.origin}, over it: {environment.label}")


def _put(data: dict[str, Any], key: str, value: str) -> None:
    """Set a field where the file has it: among the secrets, the configs or at the top."""
    for part in ("secrets", "configs"):
        if isinstance(data.get(part), dict) and key in data[part]:
            data[part] = {**data[part], key: value}
            return
    data[key] = value


def _variable(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9_]", "_", name)


def _looks_like_connection(text: str) -> bool:
    if not text.lstrip().startswith("{"):
        return False
    try:
        return bool(_MARKS & json.loads(text).keys())
    except ValueError:
        return False
