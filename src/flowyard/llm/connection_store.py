"""The local connection store: one file for each user; secrets are in the keyring, or encrypted in the file.

    FOLDER/store.json    names, types and configs in clear, secrets encrypted or as the name of a keyring's item
    FOLDER/key           the key, readable by its owner only; absent when FLOWYARD_KEY is used or nothing needs one
    FOLDER/lock          held while the file is changed

Reading takes no lock. Every change reads the file again under the lock, so that two processes lose nothing. An item of
the keyring is noted in the file before it is made and until it is deleted, and never written twice: what is killed or
refuses half way leaves the old secrets or the new ones, and an item that nothing names is deleted by the next change.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from flowyard._util.checked_json import CHECKSUM, checked_text, take_checksum
from flowyard._util.files import write_atomic
from flowyard._util.lock import locked
from flowyard._util.suggest import did_you_mean
from flowyard.abc import ConnectionSource
from flowyard.errors import ExtraMissing, NotFound, OutsideError, StoreError, UserError
from flowyard.llm.connection import Connection, CustomConnection
from flowyard.llm.connection_parsing import fill_from_environment, parse_connection
from flowyard.llm.keyring_items import Keyring, new_item
from flowyard.llm.stored_entry import (
    Entry,
    SecretsIn,
    drop_item,
    fields_of,
    holds_secrets,
    is_whole,
    made_connection,
    secrets_in,
)
from flowyard.llm.vault import KEY_VARIABLE, Vault

__all__ = ["ConnectionStore"]

_VERSIONS = (1, 2)  # 2 names items of a keyring, which a flowyard that knows 1 only must not lose
_KEYS = frozenset({"version", "key", "connections", "leftover", CHECKSUM})  # an early file has no checksum


class ConnectionStore(ConnectionSource):
    """Connections in a file below ``folder``, which is made at the first write.

    ``secrets`` says where new secrets go: ``keyring``, ``file``, or ``auto``: the keyring if there is one and no key is
    given. Values of the form ``${env:NAME}`` are kept and filled from ``environ`` when a connection is found.
    ``warnings`` are what the last changes had to do otherwise.
    """

    label = "local store"

    def __init__(
        self, folder: Path, environ: Mapping[str, str], secrets: str = "auto", keyring: Keyring | None = None
    ) -> None:
        self.file = folder / "store.json"
        self.warnings: list[str] = []
        self._environ = environ
        self._vault = Vault(folder / "key", environ)
        self._folder = folder
        self._secrets = secrets
        self._keyring = keyring or Keyring()

    def __getstate__(self) -> dict[str, Any]:
        """With the keyring's items in it, for workers may have none. What cannot be read is missed when it is used."""
        carried: dict[str, Mapping[str, str]] = {}
        for item in (entry["keyring"] for entry in self._read()["connections"].values() if "keyring" in entry):
            with suppress(OutsideError, ExtraMissing):
                carried[item] = self._keyring.get(item)
        return {**self.__dict__, "_keyring": Keyring(carried)}

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
        filled = fill_from_environment(fields_of(stored), self._environ, lambda *_: where)
        return parse_connection(name, filled, where)

    def stored(self, name: str) -> Connection | None:
        """The connection as it was stored: with ``${env:NAME}`` in it, and None for secrets that are not set."""
        data = self._read()
        entry = data["connections"].get(name)
        return None if entry is None else self._decrypted(name, entry, data)

    def names(self) -> list[str]:
        return list(self._read()["connections"])

    def secrets_in(self, name: str) -> SecretsIn | None:
        """Where the secrets of a stored connection are; None when it is not stored, or has none."""
        return secrets_in(self._read()["connections"].get(name))

    def change(
        self, name: str, edit: Callable[[Connection | None], Connection], to: SecretsIn | None = None
    ) -> Connection:
        """Store what ``edit`` makes of the stored connection (None when the name is new); returns it.

        ``to`` moves its secrets. ``edit`` runs under the lock: it must be quick and ask nobody. Raises StoreError,
        OutsideError when the keyring refuses, and UserError when secrets of other connections were encrypted with
        another key; then nothing is changed.
        """
        with self._changing() as data:
            entry = data["connections"].get(name)
            made = edit(None if entry is None else self._decrypted(name, entry, data))
            now = datetime.now(UTC).isoformat(timespec="seconds")
            changed = {
                "type": made.type,
                "configs": {key: value for key, value in made.configs.items() if value is not None},
                **self._kept(name, made, entry, to, data),
                "created_at": (entry or {}).get("created_at", now),
                "changed_at": now,
            }
            data["connections"][name] = changed
            drop_item(data, entry)
            data["leftover"] = [item for item in data["leftover"] if item != changed.get("keyring")]
            data["key"] = self._vault.fingerprint() if holds_secrets(data) else None
        return made

    def move(self, name: str, to: SecretsIn) -> bool:
        """Move the secrets of a connection; False when they are there already, or there are none.

        Raises NotFound, and what ``change`` raises.
        """
        stored = self.stored(name)
        if stored is None:
            raise self._unknown(name, self.names())
        if self.secrets_in(name) in (to, None):
            return False
        self.change(name, lambda current: current or stored, to)
        return True

    def delete(self, name: str) -> None:
        """Forget a connection, in the keyring too; no key is needed. Raises NotFound, naming near matches."""
        with self._changing() as data:
            if name not in data["connections"]:
                raise self._unknown(name, data["connections"])
            drop_item(data, data["connections"].pop(name))
            if not holds_secrets(data):
                data["key"] = None

    def _unknown(self, name: str, known: Iterable[str]) -> NotFound:
        return NotFound(f"The local store has no connection {name!r}.", hint=did_you_mean(name, known) or _SEE)

    def _kept(self, name: str, made: Connection, entry: Entry | None, to: str | None, data: Entry) -> Entry:
        """The part of an entry that says its secrets, which are in the keyring when this returns, or encrypted."""
        given = {key: str(value) for key, value in made.secrets.items() if value}
        to = to or (self._secrets if self._secrets != "auto" else secrets_in(entry))
        if given and to != "file" and (to == "keyring" or self._prefers_keyring()):
            try:
                return {"secrets": dict.fromkeys(made.secrets), "keyring": self._in_keyring(name, given, data)}
            except OutsideError as error:
                if to == "keyring":
                    raise
                self.warnings.append(f"{error.message} The secrets of {name} are in the encrypted file instead.")
        if given:
            self._require_key(data)
        tokens = {key: self._vault.encrypt(value) for key, value in given.items()}
        return {"secrets": {key: tokens.get(key) for key in made.secrets}}

    def _prefers_keyring(self) -> bool:
        """A key that somebody gives is a wish for the file."""
        return not self._environ.get(KEY_VARIABLE, "").strip() and self._keyring.usable()

    def _in_keyring(self, name: str, given: Mapping[str, str], data: Entry) -> str:
        self._keyring.require()
        item = new_item(name)
        data["leftover"].append(item)
        self._write(data)
        try:
            self._keyring.put(item, given)
        except OutsideError:
            if self._keyring.forget(item):
                data["leftover"].remove(item)
                self._write(data)
            raise
        return item

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
        if "keyring" in entry:
            return made_connection(
                name, entry["type"], entry["configs"], {**entry["secrets"], **self._from_keyring(name, entry)}
            )
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
        return made_connection(name, entry["type"], entry["configs"], {**secrets, **unset})

    def _from_keyring(self, name: str, entry: Entry) -> Mapping[str, str]:
        try:
            return self._keyring.get(entry["keyring"])
        except ExtraMissing as error:
            message = f"The secrets of connection {name!r} are in the keyring. {error.message}"
            raise ExtraMissing(message, hint=error.hint) from None
        except StoreError as error:
            hint = f"Delete the connection and create it again: flowyard connection delete -y -n '{name}'"
            raise StoreError(error.message, hint=hint) from None

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
                self._write(data)
                self._sweep(data)
        except OSError as error:
            message = f"The connection store {self.file} cannot be written: {error.strerror}."
            raise StoreError(message, hint="Choose another folder with FLOWYARD_HOME.") from error

    def _sweep(self, data: Entry) -> None:
        """Delete the items of the keyring that no connection needs; those that stay are tried again next time."""
        if not data["leftover"]:
            return
        data["leftover"] = [item for item in data["leftover"] if not self._keyring.forget(item)]
        self._write(data)
        if data["leftover"]:
            named = ", ".join(data["leftover"])
            self.warnings.append(
                f"The keyring did not delete what is not needed any more ({named}); it will be tried again."
            )

    def _write(self, data: Entry) -> None:
        plain = not data["leftover"] and not any("keyring" in entry for entry in data["connections"].values())
        if plain:
            kept = {"version": 1, "key": data["key"], "connections": data["connections"]}
        else:
            kept = {"version": 2, **data}
        write_atomic(self.file, checked_text(kept), mode=0o600)

    def _read(self) -> dict[str, Any]:
        try:
            data = json.loads(self.file.read_text(encoding="utf-8"))
            leftover = data.get("leftover", [])
            whole = all(map(is_whole, data["connections"].values())) and all(isinstance(each, str) for each in leftover)
            fits = _KEYS.issuperset(data) and take_checksum(data) is not False
            if data["version"] in _VERSIONS and whole and fits:
                return {"key": data["key"], "connections": data["connections"], "leftover": leftover}
        except (FileNotFoundError, NotADirectoryError):
            return {"key": None, "connections": {}, "leftover": []}
        except OSError as error:
            raise StoreError(f"The connection store {self.file} cannot be read: {error.strerror}.") from error
        except (ValueError, LookupError, TypeError, AttributeError):
            pass
        raise StoreError(
            f"The connection store {self.file} is damaged, or was written by a newer flowyard.",
            hint="It is left as it is. Restore it from a backup, or move it away to start anew.",
        )


_SEE = "See: flowyard connection list"
