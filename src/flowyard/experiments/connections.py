"""The connections that ``experiment.yaml`` declares, with ``${field}`` filled from the environment when needed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from flowyard.abc import ConnectionSource
from flowyard.errors import UserError
from flowyard.llm import Connection, parse_connection

__all__ = ["DeclaredConnection", "Declares", "ExperimentConnections"]

_PLACEHOLDER = re.compile(r"^\$\{([A-Za-z0-9_]+)\}$")


@dataclass(frozen=True, slots=True)
class DeclaredConnection:
    """A connection as the file has it; ``${field}`` values stand for ``<NAME>_<FIELD>`` of the environment."""

    name: str
    fields: Mapping[str, Any]
    where: str


class Declares(Protocol):
    """What declares connections: an experiment, or so much of its file as there is to be known."""

    @property
    def folder(self) -> Path: ...

    @property
    def connections(self) -> tuple[DeclaredConnection, ...]: ...


class ExperimentConnections(ConnectionSource):
    """Resolved only when a node needs them, so that a simulated run asks for no variable."""

    label = "experiment.yaml"

    def __init__(self, experiment: Declares, environ: Mapping[str, str]) -> None:
        self._declared = {connection.name: connection for connection in experiment.connections}
        self._folder = experiment.folder
        self._environ = environ

    def find(self, name: str) -> Connection | None:
        declared = self._declared.get(name)
        if declared is None:
            return None
        fields = {key: self._resolve(name, value, declared.where) for key, value in declared.fields.items()}
        return parse_connection(name, fields, declared.where, self._folder)

    def names(self) -> Iterable[str]:
        return list(self._declared)

    def declared_type(self, name: str) -> str | None:
        declared = self._declared.get(name)
        fields = declared.fields if declared else {}
        return str(fields.get("connection_type") or fields.get("type") or "") or None

    def _resolve(self, connection: str, value: Any, where: str) -> Any:
        if isinstance(value, dict):
            return {key: self._resolve(connection, inner, where) for key, inner in value.items()}
        match = _PLACEHOLDER.match(value) if isinstance(value, str) else None
        if match is None:
            return value
        variable = f"{connection}_{match[1]}".upper().replace("-", "_").replace(" ", "_")
        if not self._environ.get(variable):
            raise UserError(
                f"Connection {connection!r} needs the environment variable {variable}, which is not set.",
                hint=f"export {variable}=…, put it into .env, or go on without a key: --simulate RULES.yaml",
                where=where,
            )
        return self._environ[variable]
