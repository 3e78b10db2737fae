"""The rows of fields of all connections: in memory, or in one file that all worker processes of a run map.

The file has a fixed size: a header, then one row for each connection, which starts with the hash of its name. A row is
changed under a lock of its bytes that the kernel frees when the process dies. The locks are of the kind that belongs to
a process and not to an open file, so a forked child may go on with the file that its parent opened; that is why a
process opens each file once only.
"""

from __future__ import annotations

import hashlib
import mmap
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from struct import pack, unpack
from weakref import WeakValueDictionary, finalize

from flowyard._util.lock import lock_region, unlock_region
from flowyard.errors import UserError
from flowyard.llm.pacing.fields import COUNT, Fields

__all__ = ["PaceTable", "Row", "open_table"]

_MAGIC = b"flowyard pace 1\n"
_KEY, _ROW = 16, 16 + 8 * COUNT
_ROWS = 1024
_SIZE = _ROW * (_ROWS + 1)
_BOOT_DRIFT_S = 120.0


class Row:
    """The fields of one connection. They are changed under ``locked`` only, and may be looked at without."""

    def __init__(self, table: PaceTable, start: int) -> None:
        self._table = table  # keeps the mapping alive
        self._start = start
        self._mutex = threading.Lock()
        self.fields: Fields = table.numbers(start + _KEY)  # type: ignore[assignment]  # nobody changes its length

    @contextmanager
    def locked(self) -> Iterator[Fields]:
        """The fields, while no other thread or process changes them."""
        with self._mutex, self._table.holding(self._start, _ROW):
            yield self.fields


class PaceTable:
    """Rows by connection, up to ``rows``. Without a path they are this process's own."""

    def __init__(self, path: Path | None = None, *, rows: int = _ROWS) -> None:
        self._mutex = threading.Lock()
        self._rows: dict[str, Row] = {}
        self._descriptor: int | None = None
        self._end = _ROW * (rows + 1)
        self._bytes: mmap.mmap | bytearray = bytearray(0 if path else self._end)
        if path is not None:
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o600)
            finalize(self, os.close, self._descriptor)
            with self.holding(0, _ROW):
                self._bytes = self._mapped(self._descriptor)

    def row(self, name: str) -> Row:
        """The row of a connection, made when it is new. Raises UserError when there is no room for another."""
        with self._mutex:
            if name not in self._rows:
                with self.holding(0, _ROW):
                    self._rows[name] = Row(self, self._place(hashlib.sha256(name.encode()).digest()[:_KEY]))
            return self._rows[name]

    @contextmanager
    def holding(self, start: int, length: int) -> Iterator[None]:
        """Keep other processes away from some bytes."""
        if self._descriptor is None:
            yield
            return
        lock_region(self._descriptor, start, length)
        try:
            yield
        finally:
            unlock_region(self._descriptor, start, length)

    def numbers(self, start: int) -> memoryview[float]:
        """The numbers of a row as they are in the file."""
        return memoryview(self._bytes)[start : start + 8 * COUNT].cast("d")

    def _place(self, key: bytes) -> int:
        for start in range(_ROW, self._end, _ROW):
            found = self._bytes[start : start + _KEY]
            if found == key:
                return start
            if not any(found):
                self._bytes[start : start + _KEY] = key
                return start
        raise UserError(f"More than {self._end // _ROW - 1} connections cannot be paced at once.")

    @staticmethod
    def _mapped(descriptor: int) -> mmap.mmap:
        """The file's bytes; a file that is not ours is emptied, and times from before a restart are forgotten."""
        if os.fstat(descriptor).st_size != _SIZE:
            os.ftruncate(descriptor, 0)
            os.ftruncate(descriptor, _SIZE)
        mapped = mmap.mmap(descriptor, _SIZE)
        booted = time.time() - time.monotonic()
        header = len(_MAGIC)
        if mapped[:header] != _MAGIC:
            mapped[:] = bytes(_SIZE)
            mapped[:header] = _MAGIC
        if abs(unpack("d", mapped[header : header + 8])[0] - booted) > _BOOT_DRIFT_S:
            for start in range(_ROW, _SIZE, _ROW):  # the names stay: another process may be using its row
                mapped[start + _KEY : start + _ROW] = bytes(8 * COUNT)
            mapped[header : header + 8] = pack("d", booted)
        return mapped


_open: WeakValueDictionary[tuple[int, int], PaceTable] = WeakValueDictionary()
_opening = threading.Lock()


def open_table(path: Path) -> PaceTable:
    """The table of a file, opened once in a process; the file is made when it is missing. Raises UserError."""
    try:
        with _opening:
            return _open_once(path)
    except OSError as error:
        raise UserError(f"Cannot open the pace file {path}: {error.strerror}.") from None


def _open_once(path: Path) -> PaceTable:
    """A second descriptor of the same file would drop this process's locks when it is closed."""
    try:
        found = path.stat()
        table = _open.get((found.st_dev, found.st_ino))
    except FileNotFoundError:
        table = None
    if table is None:
        path.parent.mkdir(parents=True, exist_ok=True)
        table = PaceTable(path)
        made = path.stat()
        _open[made.st_dev, made.st_ino] = table
    return table
