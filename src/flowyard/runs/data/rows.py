"""What a reader of one form of data gives: rows typed exactly as written, nothing guessed and nothing filled in.

A reader yields the values of a row, or an ErrorRecord for a row that cannot be read; the dataset numbers them. A file
that cannot be read at all is a UserError.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from flowyard.records import ErrorRecord
from flowyard.runs.data.files import DataFile

__all__ = ["FileRow", "RowForm", "Scan", "unreadable"]

FileRow = Mapping[str, Any] | ErrorRecord
"""The values of one row, or why it could not be read."""


@dataclass(frozen=True, slots=True)
class Scan:
    """What one look through a file finds: how many rows it has, and whether any of them has a certain column."""

    rows: int
    has_column: bool


@dataclass(frozen=True, slots=True)
class RowForm:
    """How one form of data is read, and looked through without keeping rows.

    ``scan`` looks for a column of a name; None asks for the number of rows only. It counts exactly the rows that
    ``read`` gives, failed ones included. ``packed`` says whether files of this form may be compressed as a whole.
    """

    read: Callable[[DataFile], Iterator[FileRow]]
    scan: Callable[[DataFile, str | None], Scan]
    packed: bool = True


def unreadable(message: str, where: str) -> ErrorRecord:
    """The error of a row that cannot be read."""
    return ErrorRecord("RowUnreadable", message, where=where)
