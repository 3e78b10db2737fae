"""The places that know connections by name; ``connections.py`` says how they add up."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flowyard.abc import ConnectionSource
from flowyard.errors import UserError
from flowyard.llm.connection import Connection, SimulatedConnection
from flowyard.llm.connection_parsing import connection_class, fill_from_environment, parse_connection
from flowyard.llm.envfile import read_env

if TYPE_CHECKING:
    from flowyard._util.yamlfile import YamlFile

__all__ = [
    "DeclaredSource",
    "EnvFileSource",
    "EnvironmentSource",
    "SimulateEverything",
    "YamlSource",
    "variable_of",
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
        for variable in dict.fromkeys((name, variable_of(name), name.upper(), variable_of(name).upper())):
            text = self.environ.get(variable, "").strip()
            if text.startswith("{"):
                return parse_connection(name, self._object(variable, text), f"{self.label}: {variable}", self.folder)
        return None

    def find_other(self, name: str) -> str | None:
        """The name of the connection that a variable puts in the place of this one."""
        for variable in dict.fromkeys((name, variable_of(name), name.upper(), variable_of(name).upper())):
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
        found = {field: self.environ.get(f"{variable_of(name)}_{variable_of(field)}".upper(), "") for field in fields}
        return {field: value for field, value in found.items() if value}

    def find_fields(self, name: str) -> Connection | None:
        """The connection that ``<NAME>_<FIELD>`` variables make, OpenAI unless they say; None when too few."""
        fields = self.fields(name)
        kind = connection_class(fields.get("type", ""))
        if kind is not None:
            fields = {"type": fields["type"], **self.fields(name, kind.FIELDS)}
        elif not _ENOUGH & fields.keys():
            return None
        return parse_connection(name, fields, f"{self.label}: {variable_of(name).upper()}_*", self.folder)

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


def _put(data: dict[str, Any], key: str, value: str) -> None:
    """Set a field where the file has it: among the secrets, the configs or at the top."""
    for part in ("secrets", "configs"):
        if isinstance(data.get(part), dict) and key in data[part]:
            data[part] = {**data[part], key: value}
            return
    data[key] = value


def variable_of(name: str) -> str:
    """A connection's name as part of a variable's."""
    return re.sub(r"[^A-Za-z0-9_]", "_", name)


def _looks_like_connection(text: str) -> bool:
    if not text.lstrip().startswith("{"):
        return False
    try:
        return bool(_MARKS & json.loads(text).keys())
    except ValueError:
        return False
