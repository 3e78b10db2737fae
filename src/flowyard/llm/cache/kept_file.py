"""The file of kept values: an SQLite database that many processes read and write at once.

Reading is one look-up by key. Writing is handed to a thread of its own, which stores all that has gathered in one
transaction, so that a model call does not wait for the disk. A value is stored whole or not at all, and one that does
not match its key and checksum counts as absent. Trouble with the file never fails a run: it is said once, and the file
is not used any more.
"""

from __future__ import annotations

import logging
import os
import queue
import sqlite3
import threading
import time
import zlib
from contextlib import closing, suppress
from pathlib import Path

from flowyard._util.lock import locked
from flowyard.llm.cache.rules import DEFAULT_CACHE_BYTES
from flowyard.llm.cache.tables import connect, find, is_usable, set_aside, store, touch, trim

__all__ = ["KeptFile", "open_kept", "repaired"]

_log = logging.getLogger("flowyard")

_BATCH = 512
_TRIM_EVERY_BYTES = 4_000_000
_TOUCH_AFTER_S = 3600
_TRIES = 3

_Job = tuple[bytes, bytes | None, str]
"""A key, its value (None to say only that it was used), and a label."""


class KeptFile:
    """Values by key. Safe to use from many threads, and by many processes with a ``KeptFile`` each.

    The file is made by the first ``put``. Close it when done: that writes what is still on its way.
    """

    def __init__(self, path: Path, most_bytes: int = DEFAULT_CACHE_BYTES) -> None:
        self.path = path
        self._most_bytes = most_bytes
        self._reader: sqlite3.Connection | None = None
        self._lock = threading.Lock()
        self._on_its_way: dict[bytes, bytes] = {}
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._writer: threading.Thread | None = None
        self._written = 0
        self._inode = 0
        self._works = True

    def get(self, key: bytes) -> bytes | None:
        """The value, or None when there is none or the file cannot be read."""
        waiting = self._on_its_way.get(key)
        if waiting is not None or not self._works:
            return waiting
        try:
            found = self._look_up(key)
        except sqlite3.OperationalError:  # busy, or gone for a moment: the model is asked
            return None
        except (sqlite3.DatabaseError, OSError) as error:
            self._give_up(error)
            return None
        if found is None:
            return None
        value, checksum, used = found
        if _checksum(key, value) != checksum:
            return None
        if time.time() - used > _TOUCH_AFTER_S:
            self._enqueue((key, None, ""))
        return value

    def put(self, key: bytes, value: bytes, label: str) -> None:
        """Keep a value; one that the key had is replaced. ``label`` says what it belongs to: a model, a node."""
        if self._works:
            self._on_its_way[key] = value
            self._enqueue((key, value, label))

    def close(self) -> None:
        """Write what is on its way and close the file. Values can be put again afterwards."""
        with self._lock:
            writer, self._writer = self._writer, None
            reader, self._reader = self._reader, None
        if reader is not None:
            reader.close()
        if writer is not None:
            self._jobs.put(None)
            writer.join()

    def _look_up(self, key: bytes) -> tuple[bytes, int, int] | None:
        with self._lock:
            if self._reader is None:
                if not self.path.exists():
                    return None
                self._reader = self._opened()
            return find(self._reader, key)

    def _opened(self) -> sqlite3.Connection:
        """A connection to a file that is known to be good; one that is not is set aside first."""
        for warning in repaired(self.path):
            _log.warning("%s", warning)
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with locked(self.path.with_suffix(".lock")):
            connection = connect(self.path)
            self._inode = self.path.stat().st_ino
            return connection

    def _enqueue(self, job: _Job) -> None:
        with self._lock:
            if self._writer is None:
                self._writer = threading.Thread(target=self._write_all, name="flowyard-cache", daemon=True)
                self._writer.start()
        self._jobs.put(job)

    def _write_all(self) -> None:
        """What the writing thread does until it is told to end."""
        try:
            with closing(self._opened()) as connection:
                while jobs := self._gathered():
                    self._write(connection, jobs)
        except (sqlite3.Error, OSError) as error:
            self._give_up(error)
            while self._gathered():  # nobody waits for these
                pass

    def _gathered(self) -> list[_Job]:
        """All jobs that wait, at least one; none at the end. What follows the end is left for the next thread."""
        job = self._jobs.get()
        jobs: list[_Job] = []
        while job is not None:
            jobs.append(job)
            if len(jobs) >= _BATCH:
                return jobs
            try:
                job = self._jobs.get_nowait()
            except queue.Empty:
                return jobs
        if jobs:
            self._jobs.put(None)
        return jobs

    def _write(self, connection: sqlite3.Connection, jobs: list[_Job]) -> None:
        now = int(time.time())
        values = [(key, value, _checksum(key, value), label, now) for key, value, label in jobs if value is not None]
        for attempt in range(_TRIES):
            try:
                with connection:
                    connection.execute("BEGIN IMMEDIATE")
                    store(connection, values)
                    touch(connection, [(now, key) for key, value, _ in jobs if value is None])
                break
            except sqlite3.OperationalError as error:
                if "locked" not in str(error) or attempt == _TRIES - 1:
                    raise
        for key, value, *_ in values:
            if self._on_its_way.get(key) is value:
                del self._on_its_way[key]
        self._written += sum(len(value) for _, value, *_ in values)
        if self._written >= min(_TRIM_EVERY_BYTES, self._most_bytes // 10):
            self._written = 0
            trim(connection, self._most_bytes)

    def _give_up(self, error: Exception) -> None:
        """Go on without the file, and set it aside when it is damaged."""
        if not self._works:
            return
        self._works = False
        self._on_its_way.clear()
        _log.warning("Kept answers in %s cannot be used, so this process goes on without: %s", self.path, error)
        if isinstance(error, sqlite3.DatabaseError) and not isinstance(error, sqlite3.OperationalError):
            with suppress(OSError), locked(self.path.with_suffix(".lock")):
                if self.path.stat().st_ino == self._inode:  # another process may have begun a new one
                    _log.warning("%s", set_aside(self.path))


def _checksum(key: bytes, value: bytes) -> int:
    """Of both, so that a damaged index never gives one question the answer to another."""
    return zlib.crc32(value, zlib.crc32(key))


_open: dict[tuple[int, Path, int], tuple[KeptFile, int]] = {}
_open_lock = threading.Lock()


class _SharedFile(KeptFile):
    """Closed when the last who opened it closes it."""

    def close(self) -> None:
        key = (os.getpid(), self.path, self._most_bytes)
        with _open_lock:
            _, users = _open.get(key, (self, 1))
            if users > 1:
                _open[key] = (self, users - 1)
                return
            _open.pop(key, None)
        super().close()


def open_kept(path: Path, most_bytes: int = DEFAULT_CACHE_BYTES) -> KeptFile:
    """The file of this process at that path, shared by all who open it; each closes it once."""
    key = (os.getpid(), path, most_bytes)
    with _open_lock:
        found, users = _open.get(key, (None, 0))
        file = found or _SharedFile(path, most_bytes)
        _open[key] = (file, users + 1)
        return file


def repaired(path: Path) -> list[str]:
    """Set the file aside when it is damaged; returns warnings that say so."""
    if is_usable(path):
        return []
    with locked(path.with_suffix(".lock")):
        return [] if is_usable(path) else [set_aside(path)]
