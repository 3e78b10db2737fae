"""The local connection store: one file for each user, its secrets encrypted, no keyring needed.

    FOLDER/store.json    names, types and configs in clear, secrets encrypted; replaced atomically
    FOLDER/key           the key, readable by its owner only; absent when FLOWYARD_KEY is used
    FOLDER/lock          held while the file is changed

Reading takes no lock. Every change reads the file again under the lock, so that two processes lose nothing.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from flowyard._util.files import dump_json, write_atomic
from flowyard._util.lock import locked
from flowyard._util.suggest import did_you_mean
from flowyard.abc import ConnectionSource
from flowyard.errors import NotFound, StoreError, UserError
from flowyard.llm.connection import Connection, CustomConnection
from flowyard.llm.connection_parsing import CONNECTION_TYPES, fill_from_environment, parse_connection
from flowyard.llm.vault import KEY_VARIABLE, Vault

__all__ = ["ConnectionStore"]

_VERSION = 1
Entry = dict[str, Any]


class ConnectionStore(ConnectionSource):
    """Connections in an encrypted file below ``folder``, which is made at the first write.

    Values of the form ``${env:NAME}`` are kept as they are and filled from ``environ`` when a connection is found.
    """

    label = "local store"

    def __init__(self, folder: Path, environ: Mapping[str, str]) -> None:
        self.file = folder / "store.json"
        self._environ = environ
        self._vault = Vault(folder / "key", environ)
        self._folder = folder

    def find(self, name: str) -> Connection | None:
        """The connection with its secrets decrypted. Raises UserError and StoreError."""
        stored = self.stored(name)
        if stored is None:
            return None
        where = f"{self.label}: {name}"
        unset = [key for key, value in stored.secrets.items() if value is None]
        if unset and isinstance(stored, CustomConnection):
            hint = f"flowyard connection update -n '{name}' --set secrets.{unset[0]}=@-"
            raise UserError(f"Connection {name!r} has no value for its secret {unset[0]}.", where=where, hint=hint)
        filled = fill_from_environment(_fields(stored), self._environ, lambda *_: where)
        return parse_connection(name, filled, where)

    def stored(self, name: str) -> Connection | None:
        """The connection as it was stored: with ``${env:NAME}`` in it, and None for secrets that are not set."""
        data = self._read()
        entry = data["connections"].get(name)
        return None if entry is None else self._decrypted(name, entry, data)

    def names(self) -> list[str]:
        return list(self._read()["connections"])

    def change(self, name: str, edit: Callable[[Connection | None], Connection]) -> Connection:
        """Store what ``edit`` makes of the stored connection (None when the name is new); returns it.

        ``edit`` runs under the lock: it must be quick and ask nobody. Raises StoreError, and UserError when secrets of
        other connections were encrypted with another key; then nothing is changed.
        """
        with self._changing() as data:
            self._require_key(data)
            entry = data["connections"].get(name)
            made = edit(None if entry is None else self._decrypted(name, entry, data))
            now = datetime.now(UTC).isoformat(timespec="seconds")
            data["connections"][name] = {
                "type": made.type,
                "configs": {key: value for key, value in made.configs.items() if value is not None},
                "secrets": {
                    key: self._vault.encrypt(str(value)) if value else None for key, value in made.secrets.items()
                },
                "created_at": (entry or {}).get("created_at", now),
                "changed_at": now,
            }
            data["key"] = self._vault.fingerprint() if _holds_secrets(data) else None
        return made

    def delete(self, name: str) -> None:
        """Forget a connection; no key is needed. Raises NotFound, naming near matches."""
        with self._changing() as data:
            if name not in data["connections"]:
                near = did_you_mean(name, data["connections"])
                raise NotFound(f"The local store has no connection {name!r}.", hint=near or _SEE)
            del data["connections"][name]
            if not _holds_secrets(data):
                data["key"] = None

    def _require_key(self, data: Mapping[str, Any]) -> None:
        """A key that all stored secrets share; a new key file only when there are none."""
        if data["key"] is None and not self._vault.exists:
            self._vault.make()
        self._check_key(data)

    def _check_key(self, data: Mapping[str, Any]) -> None:
        try:
            fits = data["key"] in (None, self._vault.fingerprint())
        except UserError as error:
            raise UserError(error.message, hint=self._way_out(data, error.hint)) from None
        if not fits:
            message = f"The secrets in {self.file} were encrypted with another key than {self._vault.source}."
            first = f"Use the key file they were made with, or its line as {KEY_VARIABLE}."
            raise UserError(message, hint=self._way_out(data, first))

    def _way_out(self, data: Mapping[str, Any], first: str | None) -> str:
        deletions = [f"  flowyard connection delete -y -n '{name}'" for name in data["connections"]]
        lost = ["If that key is lost, delete these connections and create them again:", *deletions[:8]]
        return "\n".join([first or "", *(lost if data["key"] else [])])

    def _decrypted(self, name: str, entry: Entry, data: Mapping[str, Any]) -> Connection:
        tokens = {key: token for key, token in entry["secrets"].items() if token}
        if tokens:
            self._check_key(data)
        secrets = {key: self._vault.decrypt(token) for key, token in tokens.items()}
        if None in secrets.values():
            raise StoreError(
                f"A secret of connection {name!r} in {self.file} is damaged.",
                hint=f"Delete it and create it again: flowyard connection delete -y -n '{name}'",
            )
        unset = {key: None for key in entry["secrets"] if key not in tokens}
        return _made(name, entry["type"], entry["configs"], {**secrets, **unset})

    @contextmanager
    def _changing(self) -> Iterator[dict[str, Any]]:
        """The content of the file under the lock; written back when the block ends well."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            with locked(self._folder / "lock"):
                for torn in self._folder.glob(".store.json.*"):  # whoever wrote it was killed: we hold the lock
                    torn.unlink(missing_ok=True)
                data = self._read()
                yield data
                write_atomic(self.file, dump_json(data, indent=2) + "\n", mode=0o600)
        except OSError as error:
            message = f"The connection store {self.file} cannot be written: {error.strerror}."
            raise StoreError(message, hint="Choose another folder with FLOWYARD_HOME.") from error

    def _read(self) -> dict[str, Any]:
        try:
            data = json.loads(self.file.read_text(encoding="utf-8"))
            if data["version"] == _VERSION and all(map(_is_whole, data["connections"].values())):
                return {"version": _VERSION, "key": data["key"], "connections": data["connections"]}
        except (FileNotFoundError, NotADirectoryError):
            return {"version": _VERSION, "key": None, "connections": {}}
        except OSError as error:
            raise StoreError(f"The connection store {self.file} cannot be read: {error.strerror}.") from error
        except (ValueError, LookupError, TypeError, AttributeError):
            pass
        raise StoreError(
            f"The connection store {self.file} is damaged, or was written by a newer flowyard.",
            hint="It is left as it is. Restore it from a backup, or move it away to start anew.",
        )


_SEE = "See: flowyard connection list"


def _is_whole(entry: Mapping[str, Any]) -> bool:
    return (
        entry["type"] in CONNECTION_TYPES and isinstance(entry["configs"], dict) and isinstance(entry["secrets"], dict)
    )


def _holds_secrets(data: Mapping[str, Any]) -> bool:
    return any(any(entry["secrets"].values()) for entry in data["connections"].values())


def _made(name: str, kind: str, configs: Mapping[str, Any], secrets: Mapping[str, Any]) -> Connection:
    """The connection without any check: what is missing is said when it is used."""
    if kind == CustomConnection.TYPE:
        return CustomConnection(secrets, configs, name=name)
    wanted: Any = CONNECTION_TYPES[kind]
    made: Connection = wanted(**configs, **secrets, name=name)
    return made


def _fields(connection: Connection) -> dict[str, Any]:
    """The connection as the mapping that ``parse_connection`` reads."""
    if isinstance(connection, CustomConnection):
        return {"type": connection.type, "configs": connection.configs, "secrets": connection.secrets}
    return {"type": connection.type, **connection.configs, **connection.secrets}
