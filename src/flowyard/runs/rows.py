"""The rows of one data file, by its format, typed exactly as written: nothing is guessed and nothing is filled in.

A reader yields ``(where, values or error)``; the dataset numbers the rows. A row that cannot be read is an error value,
a file that cannot be read at all is a UserError.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flowyard.errors import ExtraMissing, UserError
from flowyard.records import ErrorRecord

__all__ = ["FORMATS", "FileRow", "RowFormat", "looks_like_json_lines"]

FileRow = Mapping[str, Any] | ErrorRecord
"""The values of one row, or why it could not be read."""


@dataclass(frozen=True, slots=True)
class RowFormat:
    """How one kind of file is read. ``count`` finds the number of rows without keeping them."""

    read: Callable[[Path], Iterator[FileRow]]
    count: Callable[[Path], int]
    has_column: Callable[[Path, str], bool]


def looks_like_json_lines(path: Path) -> bool:
    """Whether the first line that is not blank is a JSON object."""
    with path.open("rb") as file:
        first = next((raw for raw in file if raw.strip()), b"")
    return isinstance(_json_row(first.removeprefix(b"\xef\xbb\xbf"), ""), Mapping)


def _unreadable(message: str, where: str) -> ErrorRecord:
    return ErrorRecord("RowUnreadable", message, where=where)


def _read_json_lines(path: Path) -> Iterator[FileRow]:
    with path.open("rb") as file:
        for position, raw in enumerate(file, start=1):
            text = raw.removeprefix(b"\xef\xbb\xbf") if position == 1 else raw
            if text.strip():
                yield _json_row(text, f"{path.name}:{position}")


def _json_row(text: bytes, where: str) -> FileRow:
    try:
        values = json.loads(text.decode("utf-8"))
    except UnicodeDecodeError as error:
        return _unreadable(f"The row is not UTF-8 text: {error.reason}.", where)
    except (ValueError, RecursionError) as error:
        return _unreadable(f"The row is not valid JSON: {error}.", where)
    return _object(values, where)


def _object(values: Any, where: str) -> FileRow:
    if isinstance(values, dict):
        return values
    return _unreadable(f"The row is a JSON {type(values).__name__}, not an object.", where)


def _count_json_lines(path: Path) -> int:
    with path.open("rb") as file:
        return sum(1 for line in file if line.strip())


def _json_lines_have(path: Path, name: str) -> bool:
    """Parses only the lines whose bytes hold the name."""
    wanted = json.dumps(name).encode()
    with path.open("rb") as file:
        return any(_has(_json_row(raw, ""), name) for raw in file if wanted in raw)


def _has(row: FileRow, name: str) -> bool:
    return isinstance(row, Mapping) and name in row


def _read_json_array(path: Path) -> Iterator[FileRow]:
    for index, values in enumerate(_json_array(path)):
        yield _object(values, f"{path.name}[{index}]")


def _json_array(path: Path) -> list[Any]:
    try:
        values = json.loads(path.read_bytes().removeprefix(b"\xef\xbb\xbf").decode("utf-8"))
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not UTF-8 text ({error.reason} at byte {error.start}).") from None
    except (ValueError, RecursionError) as error:
        hint = "It holds one object a line: call it .jsonl." if looks_like_json_lines(path) else None
        raise UserError(f"{path} is not valid JSON: {error}.", hint=hint) from None
    if not isinstance(values, list):
        raise UserError(
            f"{path} holds a JSON {type(values).__name__}, not an array of records.", hint='Write [{"name": "value"}].'
        )
    return values


def _separated(delimiter: str) -> RowFormat:
    """CSV or TSV: every value is text, an empty cell is empty text."""

    def read(path: Path) -> Iterator[FileRow]:
        csv.field_size_limit(2**31 - 1)  # a cell may be a document
        with path.open(encoding="utf-8-sig", newline="", errors="surrogateescape") as file:
            reader = csv.reader(file, delimiter=delimiter)
            header = _header(reader, path)
            for cells in reader:
                if cells:
                    yield _cells_row(header, cells, f"{path.name}:{reader.line_num}")

    def has_column(path: Path, name: str) -> bool:
        with path.open(encoding="utf-8-sig", newline="", errors="surrogateescape") as file:
            return name in _header(csv.reader(file, delimiter=delimiter), path)

    return RowFormat(read, lambda path: sum(1 for _ in read(path)), has_column)


def _header(cells: Iterator[list[str]], path: Path) -> list[str]:
    header = next(cells, [])
    twice = sorted({name for name in header if header.count(name) > 1})
    if twice:
        raise UserError(f"Two columns are called {twice[0]!r}.", where=f"{path.name}:1")
    return header


def _cells_row(header: list[str], cells: list[str], where: str) -> FileRow:
    if len(cells) != len(header):
        return _unreadable(f"The row has {len(cells)} cells, the header has {len(header)}.", where)
    try:
        "".join(cells).encode()
    except UnicodeEncodeError:
        return _unreadable("The row is not UTF-8 text.", where)
    return dict(zip(header, cells, strict=True))


def _parquet_file(path: Path) -> Any:
    try:
        from pyarrow import parquet  # noqa: PLC0415 - heavy and optional
    except ImportError:
        raise ExtraMissing(f"Reading {path.name} takes pyarrow.", hint="pip install 'flowyard[parquet]'") from None
    try:
        return parquet.ParquetFile(path)
    except (ValueError, OSError) as error:
        raise UserError(f"{path} cannot be read as Parquet: {error}.") from None


def _read_parquet(path: Path) -> Iterator[FileRow]:
    with _parquet_file(path) as file:
        for batch in file.iter_batches(batch_size=1000):
            yield from batch.to_pylist()


def _count_parquet(path: Path) -> int:
    with _parquet_file(path) as file:
        return int(file.metadata.num_rows)


def _parquet_has(path: Path, name: str) -> bool:
    with _parquet_file(path) as file:
        return name in file.schema_arrow.names


FORMATS: Mapping[str, RowFormat] = {
    ".jsonl": RowFormat(_read_json_lines, _count_json_lines, _json_lines_have),
    ".json": RowFormat(
        _read_json_array,
        lambda path: len(_json_array(path)),
        lambda path, name: any(_has(row, name) for row in _read_json_array(path)),
    ),
    ".csv": _separated(","),
    ".tsv": _separated("\t"),
    ".parquet": RowFormat(_read_parquet, _count_parquet, _parquet_has),
}
"""Every format by its file name's ending."""
