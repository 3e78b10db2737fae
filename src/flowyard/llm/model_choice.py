"""From the model configuration of a prompty to the connection behind it and the name of the model.

A configuration names a ``connection``, or says address and key itself, or says neither: then both come from the
environment variables that the vendors' own clients read.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flowyard.errors import ConnectionMissing, UserError
from flowyard.llm.connection import (
    TOKEN_AUTH,
    AzureOpenAIConnection,
    Connection,
    ServerlessConnection,
    SimulatedConnection,
)
from flowyard.llm.connection_parsing import connection_class, parse_connection
from flowyard.llm.connections import Connections

__all__ = ["ModelChoice", "choose_model"]

_NOT_OF_THE_CONNECTION = frozenset({"type", "connection", "azure_deployment", "model"})
_VARIABLE = re.compile(r"^\$\{env:(.*)\}", re.IGNORECASE)
_FROM_ENVIRONMENT: Mapping[str, Mapping[str, str]] = {
    "azure_open_ai": {
        "api_base": "AZURE_OPENAI_ENDPOINT",
        "api_key": "AZURE_OPENAI_API_KEY",
        "api_version": "OPENAI_API_VERSION",
    },
    "open_ai": {"api_key": "OPENAI_API_KEY", "organization": "OPENAI_ORG_ID", "base_url": "OPENAI_BASE_URL"},
}
_REQUIRED = frozenset({"AZURE_OPENAI_ENDPOINT", "AZURE_OPENAI_API_KEY", "OPENAI_API_KEY"})
_GO_ON = "To go on without a key: --simulate RULES.yaml"


@dataclass(frozen=True, slots=True)
class ModelChoice:
    """A model behind a connection; for Azure OpenAI ``model`` is the deployment."""

    connection: Connection
    model: str


def choose_model(
    configuration: Mapping[str, Any], connections: Connections, *, name: str, needed_by: str, where: str | None = None
) -> ModelChoice:
    """The model that a checked configuration means.

    ``name`` is what a connection made here is called in errors, ``needed_by`` starts a sentence. Raises
    ConnectionMissing when a connection or a variable is not set, UserError when it does not fit.
    """
    return _Chooser(configuration, connections, name, needed_by, where).choose()


@dataclass(frozen=True, slots=True)
class _Chooser:
    configuration: Mapping[str, Any]
    connections: Connections
    name: str
    needed_by: str
    where: str | None

    def choose(self) -> ModelChoice:
        connection = self._connection()
        if not connection.is_model:
            message = f"{self.needed_by} needs a language model, but connection {connection.name!r} is"
            raise UserError(f"{message} {connection.type}.", where=self.where)
        return ModelChoice(connection, self._model(connection))

    def _connection(self) -> Connection:
        named = self.configuration.get("connection")
        if isinstance(named, str) and named:
            return self.connections.get(named, needed_by=self.needed_by)
        if isinstance(named, Connection):
            return self.connections.adopt(named.name or self.name, lambda: named)
        return self.connections.adopt(self.name, self._made)

    def _model(self, connection: Connection) -> str:
        model = str(self.configuration.get("azure_deployment") or self.configuration.get("model") or "")
        if isinstance(connection, SimulatedConnection):
            return model or "simulated"
        if not model and not isinstance(connection, ServerlessConnection):
            key = "azure_deployment" if isinstance(connection, AzureOpenAIConnection) else "model"
            hint = f"Add '{key}: NAME'."
            raise UserError(f"{self.needed_by} does not say which model to ask.", hint=hint, where=self.where)
        return model

    def _made(self) -> Connection:
        """The connection that the configuration itself describes, or the environment."""
        kind = connection_class(str(self.configuration.get("type")))
        if kind is None or kind.TYPE not in _FROM_ENVIRONMENT:
            raise UserError(f"{self.needed_by} has no connection and no known type.", where=self.where)
        given = {key: value for key, value in self.configuration.items() if value and key not in _NOT_OF_THE_CONNECTION}
        if not given:
            return self._from_environment(kind.TYPE)
        known = {*kind.FIELDS, *kind.ALIASES}
        fields = {key: self._resolved(value) for key, value in given.items() if key in known}
        if kind is AzureOpenAIConnection and not fields.get("api_key"):
            fields.setdefault("auth_mode", TOKEN_AUTH)
        return parse_connection(self.name, {**fields, "type": kind.TYPE}, self.where or self.name)

    def _resolved(self, value: Any) -> Any:
        """A field as it is; one that still refers to a variable is looked up again, now also in ``.env`` files."""
        match = _VARIABLE.match(value) if isinstance(value, str) else None
        if match is None:
            return value
        found = self.connections.variable(match[1])
        if found is None:
            message = f"{self.needed_by} reads the environment variable {match[1]}, which is not set."
            raise ConnectionMissing(message, hint=f"export {match[1]}=…\n{_GO_ON}", where=self.where)
        return found

    def _from_environment(self, kind: str) -> Connection:
        variables = _FROM_ENVIRONMENT[kind]
        found = {field: self.connections.variable(each) for field, each in variables.items()}
        missing = [each for field, each in variables.items() if each in _REQUIRED and not found[field]]
        if missing:
            message = (
                f"{self.needed_by} takes its connection from the environment, which lacks {' and '.join(missing)}."
            )
            hint = "\n".join([*(f"export {each}=…" for each in missing), _GO_ON])
            raise ConnectionMissing(message, hint=hint, where=self.where)
        fields = {field: value for field, value in found.items() if value}
        return parse_connection(self.name, {**fields, "type": kind}, "environment")
