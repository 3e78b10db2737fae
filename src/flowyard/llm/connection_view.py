"""What may be shown of a connection."""

from __future__ import annotations

from typing import Any

from flowyard.llm.connection import Connection, CustomConnection
from flowyard.llm.connection_base import HIDDEN

__all__ = ["connection_view"]


def connection_view(connection: Connection, origin: str, secrets_in: str | None = None) -> dict[str, Any]:
    """Name, type, fields and origin, every secret as ``******``; the names in it are a contract.

    ``secrets_in`` is where the local store has the secrets: ``keyring`` or ``file``.
    """
    hidden = {key: HIDDEN if value else None for key, value in connection.secrets.items()}
    fields: dict[str, Any] = {**connection.configs, **hidden}
    if isinstance(connection, CustomConnection):
        fields = {"configs": connection.configs, "secrets": hidden}
    return {"name": connection.name, "type": connection.type, **fields, "origin": origin, "secrets_in": secrets_in}
