"""A keyring of the tests, one file; RING_FAULT says what it does wrong. PYTHON_KEYRING_BACKEND names it."""

from __future__ import annotations

import fcntl
import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from keyring.backend import KeyringBackend
from keyring.errors import KeyringLocked


class FileKeyring(KeyringBackend):
    priority = 5

    def get_password(self, service: str, username: str) -> str | None:
        self._fault("get")
        with self._kept() as kept:
            return kept.get(f"{service}|{username}")

    def set_password(self, service: str, username: str, password: str) -> None:
        self._fault("set")
        with self._kept() as kept:
            kept[f"{service}|{username}"] = password[:-1] if os.environ.get("RING_FAULT") == "lie" else password

    def delete_password(self, service: str, username: str) -> None:
        self._fault("delete")
        with self._kept() as kept:
            del kept[f"{service}|{username}"]

    def _fault(self, call: str) -> None:
        fault = os.environ.get("RING_FAULT", "")
        if fault == f"refuse {call}":
            raise KeyringLocked(f"locked; by the way, here is what you gave me: {self._file().read_text()}")
        if fault == f"hang {call}":
            threading.Event().wait()
        if fault == f"die {call}":
            os._exit(9)

    def _file(self) -> Path:
        file = Path(os.environ["RING_FILE"])
        if not file.exists():
            file.write_text("{}")
        return file

    @contextmanager
    def _kept(self) -> Iterator[dict[str, Any]]:
        with self._file().open("r+") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            kept = json.load(file)
            yield kept
            file.seek(0)
            file.truncate()
            json.dump(kept, file)


class DiesAfterSet(FileKeyring):
    """The process is gone between the keyring and the file."""

    def set_password(self, service: str, username: str, password: str) -> None:
        super().set_password(service, username, password)
        os._exit(9)
