"""The statements on the file of kept values, and what is done when it is damaged."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterable, Sequence
from contextlib import closing, suppress
from pathlib import Path

__all__ = [
    "Kept",
    "clear",
    "connect",
    "contents",
    "find",
    "is_usable",
    "set_aside",
    "shrink",
    "size_of",
    "store",
    "touch",
    "trim",
]

_WAIT_S = 20.0
_BESIDE = ("-wal", "-shm")

_SCHEMA = """
CREATE TABLE IF NOT EXISTS kept_1 (
    key BLOB PRIMARY KEY, value BLOB NOT NULL, checksum INTEGER NOT NULL, label TEXT NOT NULL, used INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS kept_1_used ON kept_1 (used);
"""
"""The number in the names changes with the form of what is stored."""

Kept = tuple[str, int, int, int, int]
"""A label, how many values it has, their bytes, and when the first and the last were used (seconds since 1970)."""


def connect(path: Path) -> sqlite3.Connection:
    """A connection that any thread may use; the file, for its owner only, is made when it is missing."""
    _create(path)
    connection = sqlite3.connect(path, timeout=_WAIT_S, check_same_thread=False, isolation_level=None)
    try:
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")  # before the first table, so that space is given back
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.executescript(_SCHEMA)
    except BaseException:
        connection.close()
        raise
    return connection


def _create(path: Path) -> None:
    """Make an empty file for its owner only.

    One that is there is left alone: to open and close it takes away, on POSIX systems, the locks that SQLite holds on it
    for other connections of this process, and then another process deletes the log that these are reading.
    """
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))


def find(connection: sqlite3.Connection, key: bytes) -> tuple[bytes, int, int] | None:
    """The value of a key, its checksum and when it was last used."""
    row = connection.execute("SELECT value, checksum, used FROM kept_1 WHERE key = ?", (key,)).fetchone()
    return None if row is None else (row[0], row[1], row[2])


def store(connection: sqlite3.Connection, rows: Iterable[tuple[bytes, bytes, int, str, int]]) -> None:
    """Write rows of key, value, checksum, label and time, in place of those with the same keys."""
    connection.executemany("INSERT OR REPLACE INTO kept_1 VALUES (?, ?, ?, ?, ?)", rows)


def touch(connection: sqlite3.Connection, rows: Iterable[tuple[int, bytes]]) -> None:
    """Note when keys were used."""
    connection.executemany("UPDATE kept_1 SET used = ? WHERE key = ?", rows)


def trim(connection: sqlite3.Connection, most_bytes: int) -> None:
    """Delete what has gone unused for longest until the values take nine tenths of the bound, when they pass it."""
    while (size := size_of(connection)) > most_bytes:
        (count,) = connection.execute("SELECT count(*) FROM kept_1").fetchone()
        excess = 1 - 0.9 * most_bytes / size
        with connection:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute(
                "DELETE FROM kept_1 WHERE rowid IN (SELECT rowid FROM kept_1 ORDER BY used, rowid LIMIT ?)",
                (max(1, int(count * excess)),),
            )
        _give_back(connection)
        if count == 0:
            return


def clear(connection: sqlite3.Connection, label: str | None = None) -> int:
    """Delete every value, or those of one label; returns how many."""
    where, values = ("", ()) if label is None else (" WHERE label = ?", (label,))
    (count,) = connection.execute(f"SELECT count(*) FROM kept_1{where}", values).fetchone()  # noqa: S608 - our words
    connection.execute(f"DELETE FROM kept_1{where}", values)  # noqa: S608
    _give_back(connection)
    return int(count)


def contents(connection: sqlite3.Connection) -> Sequence[Kept]:
    """What is kept, by label, the largest first."""
    return connection.execute(
        "SELECT label, count(*), sum(length(value)), min(used), max(used) FROM kept_1 GROUP BY label ORDER BY 3 DESC, 1"
    ).fetchall()


def shrink(connection: sqlite3.Connection) -> None:
    """Make the files on disk as small as what is in them; waits for readers."""
    connection.executescript("PRAGMA incremental_vacuum")  # ``execute`` would free one page only
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


def size_of(connection: sqlite3.Connection) -> int:
    """The bytes that are in use in the file."""
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    (free,) = connection.execute("PRAGMA freelist_count").fetchone()
    (page_bytes,) = connection.execute("PRAGMA page_size").fetchone()
    return int((pages - free) * page_bytes)


def is_usable(path: Path) -> bool:
    """Whether the file is absent, empty, or a database that can be read. A damaged page may still go unseen."""
    if not path.exists() or path.stat().st_size == 0:
        return True
    try:
        with closing(sqlite3.connect(path, timeout=_WAIT_S)) as connection:
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
            return True
    except sqlite3.OperationalError:
        return True  # busy or not readable now; using it will tell
    except sqlite3.DatabaseError:
        return False


def set_aside(path: Path) -> str:
    """Rename a damaged file and what belongs to it; returns a warning that says so."""
    aside = path.with_name(f"{path.stem}.damaged-{int(time.time() * 1000)}{path.suffix}")
    path.replace(aside)
    for end in _BESIDE:
        Path(f"{path}{end}").unlink(missing_ok=True)
    return f"The file of kept answers was damaged and is now {aside}; a new one is begun."


def _give_back(connection: sqlite3.Connection) -> None:
    """Make the file as small as what is in it."""
    connection.executescript("PRAGMA incremental_vacuum")  # ``execute`` would free one page only
    connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
