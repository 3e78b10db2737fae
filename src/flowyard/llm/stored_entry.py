"""What the connection store writes of one connection: its entry, in which no secret is in clear."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from flowyard.llm.connection import Connection, CustomConnection
from flowyard.llm.connection_parsing import CONNECTION_TYPES

__all__ = [
    "Entry",
    "SecretsIn",
    "drop_item",
    "fields_of",
    "holds_secrets",
    "is_whole",
    "made_connection",
    "secrets_in",
]

Entry = dict[str, Any]
SecretsIn = Literal["keyring", "file"]
"""Where the secrets of a stored connection are."""


def is_whole(entry: Mapping[str, Any]) -> bool:
    """Whether an entry is one. Raises what looking into something else raises."""
    mappings = isinstance(entry["configs"], dict) and isinstance(entry["secrets"], dict)
    return entry["type"] in CONNECTION_TYPES and mappings and isinstance(entry.get("keyring", ""), str)


def secrets_in(entry: Mapping[str, Any] | None) -> SecretsIn | None:
    """Where the secrets of an entry are; None when it has none."""
    if entry is None:
        return None
    if "keyring" in entry:
        return "keyring"
    return "file" if any(entry["secrets"].values()) else None


def drop_item(data: Entry, entry: Entry | None) -> None:
    """Note that the item of an entry that is no more has to be deleted."""
    if entry is not None and "keyring" in entry:
        data["leftover"].append(entry["keyring"])


def holds_secrets(data: Mapping[str, Any]) -> bool:
    """Whether a store has secrets that its key encrypted."""
    return any(any(entry["secrets"].values()) for entry in data["connections"].values())


def made_connection(name: str, kind: str, configs: Mapping[str, Any], secrets: Mapping[str, Any]) -> Connection:
    """The connection without any check: what is missing is said when it is used."""
    if kind == CustomConnection.TYPE:
        return CustomConnection(secrets, configs, name=name)
    wanted: Any = CONNECTION_TYPES[kind]
    made: Connection = wanted(**configs, **secrets, name=name)
    return made


def fields_of(connection: Connection) -> dict[str, Any]:
    """The connection as the mapping that ``parse_connection`` reads."""
    if isinstance(connection, CustomConnection):
        return {"type": connection.type, "configs": connection.configs, "secrets": connection.secrets}
    return {"type": connection.type, **connection.configs, **connection.secrets}
