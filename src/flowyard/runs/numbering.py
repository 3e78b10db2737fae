"""Rows in the order of the numbers that they give themselves, with memory that does not grow with their number."""

from __future__ import annotations

import heapq
import itertools
import os
import pickle
import tempfile
import weakref
from collections.abc import Iterable, Iterator
from typing import IO, Any

from flowyard.errors import MappingError
from flowyard.runs.dataset import Row

__all__ = ["NUMBER", "by_own_number"]

NUMBER = "line_number"
"""The column by which rows may number themselves."""

_IN_MEMORY = 10_000
_BLOCK = 50
_MOST_PARTS = 64

_Placed = tuple[int, int, Row]
"""A row after its own number and its position in the data, which sort it."""

_Blocks = list[tuple[int, int]]
"""Where the blocks of a part begin and end in the file."""


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
    """Sorted parts of the rows: one in memory if that is all, else in a file of blocks that nobody else can open.

    When there are many parts of one level they become one of the next, so that few blocks are in memory at once.
    """

    def __init__(self, placed: Iterator[_Placed], size: int) -> None:
        self._file: IO[bytes] | None = None
        self._levels: list[list[_Blocks]] = []
        self._only: list[_Placed] = []
        while part := sorted(itertools.islice(placed, size), key=_order):
            if len(part) < size and self._file is None:
                self._only = part
                return
            self._add(part, 0)
            del part  # two at once would be twice the memory

    def merged(self) -> Iterator[_Placed]:
        """All rows in their order."""
        parts = [self._read(part) for level in self._levels for part in level]
        return heapq.merge(self._only, *parts, key=_order)

    def _add(self, part: Iterable[_Placed], level: int) -> None:
        if level == len(self._levels):
            self._levels.append([])
        same = self._levels[level]
        same.append(list(self._write(iter(part))))
        if len(same) == _MOST_PARTS:
            self._add(heapq.merge(*map(self._read, same), key=_order), level + 1)
            same.clear()

    def _write(self, part: Iterator[_Placed]) -> Iterator[tuple[int, int]]:
        if self._file is None:
            self._file = tempfile.TemporaryFile()  # noqa: SIM115 - read for as long as rows are
            weakref.finalize(self, self._file.close)
        while block := list(itertools.islice(part, _BLOCK)):
            start = self._file.seek(0, os.SEEK_END)
            pickle.dump(block, self._file, pickle.HIGHEST_PROTOCOL)
            yield start, self._file.tell()

    def _read(self, blocks: _Blocks) -> Iterator[_Placed]:
        for start, end in blocks:
            assert self._file is not None
            self._file.seek(start)
            yield from pickle.loads(self._file.read(end - start))  # noqa: S301 - written above, by this process
