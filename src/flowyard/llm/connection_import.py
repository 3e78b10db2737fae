"""Taking over the connections of prompt flow's local database.

Its secrets are encrypted with a key that prompt flow keeps in the keyring of the operating system. Without that key the
connections come without secrets, and the commands that set them are told.
"""

from __future__ import annotations

import json
import shlex
import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import quote

from flowyard.errors import UserError
from flowyard.llm.connection import Connection, CustomConnection
from flowyard.llm.connection_parsing import connection_class
from flowyard.llm.connection_store import ConnectionStore

__all__ = ["ImportResult", "import_connections"]

_KEYRING_ENTRY = ("promptflow", "encryption_key")
_QUERY = 'SELECT "connectionName", "connectionType", configs, "customConfigs" FROM connection ORDER BY 1'

Decrypt = Callable[[str], str | None]


@dataclass(frozen=True, slots=True)
class ImportResult:
    """Names that were imported and that were stored already, commands that set missing secrets, and warnings."""

    imported: tuple[str, ...]
    skipped: tuple[str, ...]
    commands: tuple[str, ...]
    warnings: tuple[str, ...]


def import_connections(file: Path, store: ConnectionStore, *, overwrite: bool = False) -> ImportResult:
    """Store every connection of the database ``file``. Raises UserError when it is not prompt flow's."""
    rows = _read_rows(file)
    decrypt, warnings = _decryption() if rows else (_no_key, [])
    taken = set() if overwrite else set(store.names())
    imported: list[str] = []
    commands: list[str] = []
    for name, kind, configs, custom in rows:
        if name in taken:
            continue
        connection = _connection(name, kind, configs, custom, decrypt)
        if connection is None:
            warnings.append(f"Connection {name!r} is of type {kind!r}, which flowyard does not know; it is left out.")
            continue
        store.change(name, lambda _, made=connection: made)  # type: ignore[misc]
        imported.append(name)
        commands += _missing_secrets(connection)
    return ImportResult(
        tuple(imported), tuple(name for name, *_ in rows if name in taken), tuple(commands), tuple(warnings)
    )


def _read_rows(file: Path) -> list[tuple[str, str, Mapping[str, Any], Mapping[str, Any]]]:
    if not file.is_file():
        raise UserError(f"There is no database {file}.", hint="Name it: --from PATH/pf.sqlite")
    try:
        with closing(sqlite3.connect(f"file:{quote(str(file.resolve()))}?mode=ro", uri=True)) as database:
            rows = database.execute(_QUERY).fetchall()
        return [
            (name, kind, json.loads(configs or "{}"), json.loads(custom or "{}"))
            for name, kind, configs, custom in rows
        ]
    except (sqlite3.Error, ValueError) as error:
        raise UserError(f"{file} is not a database of prompt flow: {error}.") from None


def _decryption() -> tuple[Decrypt, list[str]]:
    """How to decrypt, and why it is not possible if it is not."""
    try:
        keyring = import_module("keyring")
    except ImportError:
        return _no_key, [
            "The package keyring is not installed, so secrets are left out; pip install keyring may bring them."
        ]
    try:
        key = keyring.get_password(*_KEYRING_ENTRY)
    except Exception as error:  # each backend raises its own
        return _no_key, [f"The keyring cannot be read ({type(error).__name__}), so secrets are left out."]
    if not key:
        return _no_key, ["The keyring of this machine has no key of prompt flow, so secrets are left out."]
    fernet = import_module("cryptography.fernet")
    try:
        opened = fernet.Fernet(key.encode())
    except ValueError:
        return _no_key, ["The key of prompt flow in the keyring is malformed, so secrets are left out."]

    def decrypt(token: str) -> str | None:
        try:
            return str(opened.decrypt(token.encode()).decode())
        except fernet.InvalidToken:
            return None

    return decrypt, []


def _no_key(_: str) -> None:
    return None


def _connection(
    name: str, kind: str, configs: Mapping[str, Any], custom: Mapping[str, Any], decrypt: Decrypt
) -> Connection | None:
    wanted = connection_class(kind)
    if wanted is None:
        return None
    if issubclass(wanted, CustomConnection):
        plain = {key: item["value"] for key, item in custom.items() if item.get("configValueType") != "Secret"}
        secrets = {key: decrypt(item["value"]) for key, item in custom.items() if key not in plain}
        return CustomConnection(secrets, plain, name=name)
    fields: dict[str, Any] = {key: value for key, value in configs.items() if key in wanted.FIELDS and value}
    fields |= {key: decrypt(fields[key]) for key in wanted.SECRETS if key in fields}
    made: Any = wanted
    found: Connection = made(**fields, name=name)
    return found


def _missing_secrets(connection: Connection) -> list[str]:
    custom = isinstance(connection, CustomConnection)
    missing = [key for key, value in connection.secrets.items() if value is None]
    if not custom:
        missing = [key for key in missing if key in connection.missing_fields()]
    start = f"flowyard connection update -n {shlex.quote(str(connection.name))} --set "
    return [start + shlex.quote(f"{'secrets.' if custom else ''}{key}=@-") for key in missing]
