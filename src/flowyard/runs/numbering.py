"""Rows in the order of the numbers that they give themselves, with memory that does not grow with their number."""

from __future__ import annotations

import heapq
import itertools
import pickle
import tempfile
import weakref
from collections.abc import Iterable, Iterator, Sequence
from typing import IO, Any

from flowyard.errors import MappingError
from flowyard.runs.dataset import Row

__all__ = ["NUMBER", "by_own_number"]

NUMBER = "line_number"
"""The column by which rows may number themselves."""

_IN_MEMORY = 10_000
_BLOCK = 200

_Placed = tuple[int, int, Row]
"""A row after its own number and its position in the data, which sort it."""


def by_own_number(rows: Iterable[Row], in_memory: int = _IN_MEMORY) -> Iterator[Row]:
    """Rows by their own ``line_number`` column, in its order, all of them checked before the first is given.

    An unreadable row keeps its position as its number, or gets the next free one after all when that is taken. Raises
    MappingError when the number is not a different whole number in each row (in CSV: its digits). More than
    ``in_memory`` rows wait in a temporary file.
    """
    parts = _Parts(map(_placed, rows), in_memory)
    last = _require_different(parts.merged())
    return _numbered(parts.merged(), last)


def _order(placed: _Placed) -> tuple[int, int]:
    return placed[:2]


def _placed(row: Row) -> _Placed:
    number = row.number if row.error else _whole(row.values.get(NUMBER))
    if number is None:
        raise _unusable(row)
    return number, row.number, row


def _require_different(placed: Iterable[_Placed]) -> int:
    """The highest number. Raises MappingError when two rows have one number."""
    before, last = None, -1
    for number, _, row in placed:
        if not row.error:
            if number == before:
                raise _unusable(row)
            before = number
        last = number
    return last


def _numbered(placed: Iterable[_Placed], last: int) -> Iterator[Row]:
    """The rows with their numbers; unreadable ones whose position is a number of another come at the end."""
    homeless: list[Row] = []
    for _, group in itertools.groupby(placed, key=lambda each: each[0]):
        same = sorted(group, key=lambda each: each[2].error is not None)
        number, _, row = same[0]
        yield Row(number, row.values, row.error)
        homeless += [row for _, _, row in same[1:]]
    for number, row in enumerate(homeless, start=last + 1):
        yield Row(number, row.values, row.error)


def _unusable(row: Row) -> MappingError:
    said = f"the line_number {row.values[NUMBER]!r}" if NUMBER in row.values else "no line_number"
    return MappingError(
        f"The data numbers its lines, but row {row.number} has {said}.",
        hint="Give every row a different whole number, or none of them.",
    )


def _whole(value: Any) -> int | None:
    if isinstance(value, str) and value.isascii() and value.isdigit():
        return int(value)
    return value if type(value) is int else None


class _Parts:
    """Sorted parts of the rows: one in memory if that is all, else in a file of blocks that nobody else can open."""

    def __init__(self, placed: Iterator[_Placed], size: int) -> None:
        self._file: IO[bytes] | None = None
        self._parts: list[list[tuple[int, int]]] = []
        self._only: list[_Placed] = []
        while part := sorted(itertools.islice(placed, size), key=_order):
            if len(part) < size and self._file is None:
                self._only = part
                return
            self._file = self._file or self._open()
            self._parts.append([self._write(part[at : at + _BLOCK]) for at in range(0, len(part), _BLOCK)])
            del part  # two at once would be twice the memory

    def merged(self) -> Iterator[_Placed]:
        """All rows in their order."""
        return heapq.merge(self._only, *map(self._read, self._parts), key=_order)

    def _open(self) -> IO[bytes]:
        file = tempfile.TemporaryFile()  # noqa: SIM115 - read for as long as rows are
        weakref.finalize(self, file.close)
        return file

    def _write(self, block: Sequence[_Placed]) -> tuple[int, int]:
        assert self._file is not None
        start = self._file.tell()
        pickle.dump(block, self._file, pickle.HIGHEST_PROTOCOL)
        return start, self._file.tell()

    def _read(self, blocks: Iterable[tuple[int, int]]) -> Iterator[_Placed]:
        for start, end in blocks:
            assert self._file is not None
            self._file.seek(start)
            yield from pickle.loads(self._file.read(end - start))  # noqa: S301 - written above, by this process
