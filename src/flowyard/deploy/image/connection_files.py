"""Connections as files without secrets: each secret is a variable that is set when the service starts."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from flowyard.llm.connection import Connection

__all__ = ["write_connections"]


def write_connections(connections: Iterable[Connection], folder: Path) -> list[str]:
    """Write one YAML file for each into a new folder, if there are any; returns the names of the variables."""
    names: list[str] = []
    for connection in connections:
        folder.mkdir(exist_ok=True)
        names += _write(connection, folder)
    return names


def _write(connection: Connection, folder: Path) -> Iterable[str]:
    prefix = str(connection.name).replace(" ", "_").replace("-", "_")
    variables = {key: f"{prefix}_{key}".upper() for key in connection.secrets}
    secrets = {key: f"${{env:{variable}}}" for key, variable in variables.items()}
    fields: dict[str, Any] = {key: value for key, value in connection.configs.items() if value is not None}
    body = {"configs": fields, "secrets": secrets} if connection.type == "custom" else {**fields, **secrets}
    with (folder / f"{connection.name}.yaml").open("w", encoding="utf-8") as file:
        YAML().dump({"name": connection.name, "type": connection.type, **body}, file)
    return variables.values()
