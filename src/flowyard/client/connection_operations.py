"""``PFClient().connections``: the user's encrypted store, and every other place that connections come from."""

from __future__ import annotations

from itertools import islice
from typing import Any

from flowyard.client.ambient import app
from flowyard.client.exceptions import ConnectionNameNotSetError, ConnectionNotFoundError, ValidationException
from flowyard.client.translate import speaking_promptflow
from flowyard.errors import NotFound
from flowyard.llm import Connection, Connections, ConnectionStore
from flowyard.llm.connection import CustomConnection, CustomStrongTypeConnection
from flowyard.llm.connection_draft import draft_of

__all__ = ["ConnectionOperations"]

Found = list[Connection]

_STRONG = "promptflow.connection."


class ConnectionOperations:
    """Connections by name. What this client returns has its secrets; printing it does not show them."""

    def create_or_update(self, connection: Connection, **_ignored: Any) -> Connection:
        """Store a connection, secrets encrypted; one of the same name is replaced.

        A secret that is empty or only stars keeps its stored value. Raises ValidationException when none is stored,
        ConnectionNameNotSetError.
        """
        name = connection.name
        if not name:
            raise ConnectionNameNotSetError("A connection is stored under its name: give it one with name=….")
        with speaking_promptflow():
            return _store().change(name, lambda current: _completed(name, _plain(connection), current))

    def get(self, name: str, **_ignored: Any) -> Connection:
        """The connection, from whatever place knows it first. Raises ConnectionNotFoundError."""
        with speaking_promptflow(NotFound=ConnectionNotFoundError):
            return _sources().get(name, needed_by="This script")

    def list(self, max_results: int = 50, all_results: bool = False) -> Found:
        """Every connection that is known here, the user's store and the project's files and variables included."""
        with speaking_promptflow():
            sources = _sources()
            found = (sources.find(name) for name in sources.names())
            known = (each.connection for each in found if each is not None)
            return [*islice(known, None if all_results else max_results)]

    def delete(self, name: str) -> None:
        """Forget a stored connection. Raises ConnectionNotFoundError when the store does not have it."""
        with speaking_promptflow(NotFound=ConnectionNotFoundError):
            if name not in _store().names() and _sources().find(name) is not None:
                origin = ", ".join(_sources().origins(name))
                raise NotFound(f"Connection {name!r} is not in the store, so it cannot be deleted.", hint=origin)
            _store().delete(name)


def _store() -> ConnectionStore:
    return app().connection_store()


def _sources() -> Connections:
    return app().connections()


def _completed(name: str, connection: Connection, current: Connection | None) -> Connection:
    """The connection with kept secrets. Raises ValidationException when a secret has no value."""
    draft = draft_of(connection)
    kept = draft_of(current) if current is not None and type(current) is type(connection) else None
    missing = draft.open_secrets(kept.values if kept else ())
    unset = [key for key, value in connection.secrets.items() if value is None]
    missing += [key for key in unset if key in connection.missing_fields()]
    if missing:
        raise ValidationException(f"Connection {name!r} has no value for its secret {', '.join(missing)}.")
    return (draft.completed(kept) if kept else draft).build(name)


def _plain(connection: Connection) -> Connection:
    """A connection of a user's own class as the custom one that is stored, with the class's name in it."""
    if not isinstance(connection, CustomStrongTypeConnection):
        return connection
    kind = type(connection)
    own = {f"{_STRONG}custom_type": kind.__name__, f"{_STRONG}module": kind.__module__}
    return CustomConnection(connection.secrets, {**connection.configs, **own}, name=connection.name)
