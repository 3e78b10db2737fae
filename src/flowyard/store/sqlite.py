"""SQLite: one file, read and written by many processes at once."""

from __future__ import annotations

import random
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TypeVar

from flowyard.errors import StoreError
from flowyard.store.database import Database, Session

__all__ = ["SqliteDatabase"]

T = TypeVar("T")

_BUSY = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL)
_NO_LOCK_FILE = (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY)
_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_PATIENCE_S = 60.0
"""How long is waited for others who write; each of them takes milliseconds."""


class SqliteDatabase(Database):
    """A file. Connections live as long as one piece of work, so that forks and threads share none."""

    kind = "sqlite"
    text_type = "TEXT"
    schema_exists = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'flowyard_schema'"
    matches_pattern = "name GLOB ?"

    def __init__(self, file: Path) -> None:
        self.file = file
        self.label = str(file)

    def exists(self) -> bool:
        return self.file.exists()

    def read(self, work: Callable[[Session], T]) -> T:
        def reading() -> T:
            try:
                with self._connection() as connection:
                    return work(connection)
            except sqlite3.OperationalError as error:
                if _code(error) not in _NO_LOCK_FILE or not self._is_at_rest():
                    raise
            with self._connection("?immutable=1") as connection:
                return work(connection)

        return self._patiently(reading)

    def write(self, work: Callable[[Session], T], *, durable: bool = True) -> T:
        def writing() -> T:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            with self._connection() as connection:
                connection.execute("PRAGMA journal_mode = WAL")
                connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
                connection.execute("BEGIN IMMEDIATE")
                try:
                    done = work(connection)
                    connection.execute("COMMIT")
                except BaseException:
                    if connection.in_transaction:
                        connection.execute("ROLLBACK")
                    raise
                return done

        return self._patiently(writing)

    def claim_schema(self, session: Session) -> None:
        """Nothing to do: who writes is alone."""

    def pattern(self, pattern: str) -> str:
        return pattern.replace("[", "[[]")

    def _is_at_rest(self) -> bool:
        """Whether the file has all that was written, so that it can be read where no file can be made beside it."""
        log = self.file.with_name(f"{self.file.name}-wal")
        return self.exists() and not (log.exists() and log.stat().st_size)

    @contextmanager
    def _connection(self, options: str = "") -> Iterator[sqlite3.Connection]:
        address = self.file.absolute().as_uri() + options
        with closing(sqlite3.connect(address, uri=True, timeout=10, isolation_level=None)) as connection:
            yield connection

    def _patiently(self, work: Callable[[], T]) -> T:
        until = time.monotonic() + _PATIENCE_S
        while True:
            try:
                return work()
            except sqlite3.Error as error:
                if _code(error) not in _BUSY:
                    raise self._said(error) from error
                if time.monotonic() > until:
                    raise self._busy() from error
            except OSError as error:
                raise self._unwritable(error.strerror or str(error)) from error
            time.sleep(random.uniform(0.001, 0.05))

    def _said(self, error: sqlite3.Error) -> StoreError:
        code = _code(error)
        if code in _DAMAGED:
            return StoreError(
                f"The store {self.file} is damaged: {error}.",
                hint="Restore it from a backup: registered versions and approvals are in no other place. Without "
                "one, move the file away: the next command makes a new one from the run.json of each run's folder.",
            )
        if code == sqlite3.SQLITE_FULL:
            return StoreError(f"There is no room on the disk for the store {self.file}.", hint="Free some space.")
        if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM):
            return self._unwritable(str(error))
        return StoreError(f"The store {self.file} cannot be read or written: {error}.")

    def _unwritable(self, reason: str) -> StoreError:
        return StoreError(
            f"Cannot write to {self.file.parent}: {reason}.",
            hint="Choose another folder with --home or FLOWYARD_HOME.",
        )

    def _busy(self) -> StoreError:
        return StoreError(
            f"Other processes have been writing to the store {self.file} for {_PATIENCE_S:.0f} s.",
            hint="Try again. If a process hangs, end it.",
        )


def _code(error: sqlite3.Error) -> int:
    """The primary result code; 0 when the error is Python's own."""
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF
