"""CSV and TSV: every value is text, and an empty cell is empty text."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from flowyard.errors import UserError
from flowyard.runs.data.files import BrokenData, DataFile, line_chunks
from flowyard.runs.data.rows import FileRow, RowForm, Scan, unreadable

__all__ = ["separated_by"]

_MARK = b"\xef\xbb\xbf"


def separated_by(delimiter: str) -> RowForm:
    """The form of files whose cells are separated by ``delimiter``; their first row names the columns."""

    def read(file: DataFile) -> Iterator[FileRow]:
        with _reader(file, delimiter) as reader:
            header = _header(reader, file)
            while True:
                try:
                    for cells in reader:
                        if cells:
                            yield _row(header, cells, file, reader)
                    return
                except csv.Error as error:
                    yield unreadable(f"The row is not valid: {error}.", f"{file.name}:{reader.line_num}")
                except BrokenData as error:
                    yield unreadable(str(error), f"{file.name}:{reader.line_num + 1}")
                    return

    def scan(file: DataFile, name: str | None) -> Scan:
        with _reader(file, delimiter) as reader:
            header = _header(reader, file)
        rows = _count_lines(file)
        return Scan(sum(1 for _ in read(file)) if rows is None else max(0, rows - bool(header)), name in header)

    return RowForm(read, scan)


@contextmanager
def _reader(file: DataFile, delimiter: str) -> Iterator[Any]:
    csv.field_size_limit(2**31 - 1)  # a cell may be a document
    with (
        file.open() as stream,
        io.TextIOWrapper(stream, encoding="utf-8-sig", newline="", errors="surrogateescape") as text,
    ):
        yield csv.reader(text, delimiter=delimiter)


def _header(reader: Iterator[list[str]], file: DataFile) -> list[str]:
    where = f"{file.name}:1"
    try:
        header = next(reader, [])
        "".join(header).encode()
    except UnicodeEncodeError:
        raise UserError(
            "The names of the columns are not UTF-8.", hint='Save the file as "CSV UTF-8".', where=where
        ) from None
    except (csv.Error, BrokenData) as error:
        raise UserError(f"The names of the columns cannot be read: {error}.", where=where) from None
    twice = sorted({name for name in header if header.count(name) > 1})
    if twice:
        raise UserError(f"Two columns are called {twice[0]!r}.", where=where)
    return header


def _row(header: list[str], cells: list[str], file: DataFile, reader: Any) -> FileRow:
    if len(cells) != len(header):
        message = f"The row has {len(cells)} cells, the header has {len(header)}."
        return unreadable(message, f"{file.name}:{reader.line_num}")
    try:
        "".join(cells).encode()
    except UnicodeEncodeError:
        return unreadable("The row is not UTF-8 text.", f"{file.name}:{reader.line_num}")
    return dict(zip(header, cells, strict=True))


def _count_lines(file: DataFile) -> int | None:
    """How many lines are not empty; None when quotes or bare carriage returns say that lines are no rows."""
    lines, start = 0, _MARK
    with file.open() as stream:
        try:
            for whole in line_chunks(stream):
                chunk, start = whole.removeprefix(start), b""
                if b'"' in chunk or chunk.count(b"\r") != chunk.count(b"\r\n"):
                    return None
                lines += _count_filled(chunk)
        except BrokenData:
            lines += 1
    return lines


def _count_filled(chunk: bytes) -> int:
    if chunk.startswith((b"\n", b"\r\n")) or b"\n\n" in chunk or b"\n\r\n" in chunk:
        return sum(map(bool, chunk.replace(b"\r\n", b"\n").split(b"\n")))
    return chunk.count(b"\n") + (chunk != b"" and not chunk.endswith(b"\n"))
