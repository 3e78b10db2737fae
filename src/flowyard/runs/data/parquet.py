"""Parquet: typed by the file itself, one row group at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from flowyard.errors import ExtraMissing, UserError
from flowyard.runs.data.files import DataFile
from flowyard.runs.data.rows import FileRow, Scan, unreadable

__all__ = ["read_parquet", "scan_parquet"]

_BATCH = 1000
_UNREADABLE = (OSError, ValueError, TypeError, NotImplementedError)
"""What pyarrow raises for broken data; its own exceptions are kinds of these."""


def read_parquet(file: DataFile) -> Iterator[FileRow]:
    """The rows; each of a row group that cannot be read is one failed row, so that the others keep their numbers."""
    with _open(file) as table:
        start = 0
        for group in range(table.num_row_groups):
            yield from _group_rows(table, group, file.name, start)
            start += table.metadata.row_group(group).num_rows


def scan_parquet(file: DataFile, name: str | None) -> Scan:
    """Reads what the file says about itself only."""
    with _open(file) as table:
        return Scan(int(table.metadata.num_rows), name in table.schema_arrow.names)


def _group_rows(table: Any, group: int, name: str, start: int) -> Iterator[FileRow]:
    done, rows = 0, table.metadata.row_group(group).num_rows
    try:
        for batch in table.iter_batches(batch_size=_BATCH, row_groups=[group]):
            for row in _batch_rows(batch, name, start + done):
                yield row
                done += 1
    except _UNREADABLE as error:
        said = f"Row group {group} cannot be read: {str(error).strip()}"
        while done < rows:
            done += 1
            yield unreadable(said, f"{name}:{start + done}")


def _batch_rows(batch: Any, name: str, start: int) -> list[FileRow]:
    try:
        rows: list[FileRow] = batch.to_pylist()
    except _UNREADABLE:
        rows = [_one_row(batch.slice(index, 1), f"{name}:{start + index + 1}") for index in range(batch.num_rows)]
    return rows


def _one_row(batch: Any, where: str) -> FileRow:
    try:
        values: FileRow = batch.to_pylist()[0]
    except _UNREADABLE as error:
        return unreadable(f"The row cannot be read: {error}.", where)
    return values


@contextmanager
def _open(file: DataFile) -> Iterator[Any]:
    try:
        from pyarrow import parquet  # noqa: PLC0415 - heavy and optional
    except ImportError:
        raise ExtraMissing(f"Reading {file.name} takes pyarrow.", hint="pip install 'flowyard[parquet]'") from None
    with ExitStack() as stack:
        try:
            table = parquet.ParquetFile(file.path or stack.enter_context(file.open_raw()))
        except _UNREADABLE as error:
            raise UserError(f"{file.name} cannot be read as Parquet: {error}.") from None
        yield stack.enter_context(table)
