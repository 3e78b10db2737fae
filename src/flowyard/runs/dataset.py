"""Data files as rows, read one at a time and typed exactly as written."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flowyard._util.suggest import did_you_mean
from flowyard.errors import UserError
from flowyard.records import ErrorRecord

__all__ = ["Row", "count_rows", "iter_rows", "require_data_file"]

_SUFFIXES = {".jsonl": "JSON lines", ".csv": "CSV", ".tsv": "TSV"}


@dataclass(frozen=True, slots=True)
class Row:
    """One row: its number from 0, and its values, or why it could not be read."""

    number: int
    values: Mapping[str, Any]
    error: ErrorRecord | None = None


def require_data_file(path: Path) -> Path:
    """The path of a readable data file. Raises UserError."""
    if path.is_dir():
        raise UserError(f"{path} is a folder.", hint="Name one data file in it.")
    if not path.is_file():
        parent = path.parent if path.parent.is_dir() else Path()
        near = did_you_mean(path.name, [child.name for child in parent.iterdir()])
        raise UserError(f"Data file not found: {path}", hint=near)
    if path.suffix.lower() not in _SUFFIXES:
        raise UserError(
            f"{path.name} is not a data file that can be read.", hint=f"Use one of: {', '.join(_SUFFIXES)}."
        )
    return path


def iter_rows(path: Path) -> Iterator[Row]:
    """The rows of a data file, streamed. A row that cannot be read is a Row with an error, not an exception."""
    require_data_file(path)
    if path.suffix.lower() == ".jsonl":
        return _json_lines(path)
    return _separated(path, "\t" if path.suffix.lower() == ".tsv" else ",")


def count_rows(path: Path) -> int:
    """How many rows ``iter_rows`` gives, found without parsing JSON."""
    if path.suffix.lower() == ".jsonl":
        with path.open("rb") as file:
            return sum(1 for line in file if line.strip())
    return sum(1 for _ in iter_rows(path))


def _json_lines(path: Path) -> Iterator[Row]:
    number = 0
    with path.open("rb") as file:
        for position, raw in enumerate(file, start=1):
            text = raw.removeprefix(b"\xef\xbb\xbf") if position == 1 else raw
            if text.strip():
                yield _json_row(text, number, f"{path.name}:{position}")
                number += 1


def _json_row(text: bytes, number: int, where: str) -> Row:
    try:
        values = json.loads(text.decode("utf-8"))
    except UnicodeDecodeError as error:
        return Row(number, {}, ErrorRecord("RowUnreadable", f"The row is not UTF-8 text: {error.reason}.", where=where))
    except (ValueError, RecursionError) as error:
        return Row(number, {}, ErrorRecord("RowUnreadable", f"The row is not valid JSON: {error}.", where=where))
    if not isinstance(values, dict):
        kind = type(values).__name__
        return Row(number, {}, ErrorRecord("RowUnreadable", f"The row is a JSON {kind}, not an object.", where=where))
    return Row(number, values)


def _separated(path: Path, delimiter: str) -> Iterator[Row]:
    """Rows of CSV or TSV: every value is text, an empty cell is empty text."""
    csv.field_size_limit(2**31 - 1)  # a cell may be a document
    with path.open(encoding="utf-8-sig", newline="", errors="surrogateescape") as file:
        reader = csv.reader(file, delimiter=delimiter)
        header = next(reader, None)
        if header is None:
            return
        twice = sorted({name for name in header if header.count(name) > 1})
        if twice:
            raise UserError(f"Two columns are called {twice[0]!r}.", where=f"{path.name}:1")
        number = 0
        for cells in reader:
            if not cells:
                continue
            yield _cells_row(header, cells, number, f"{path.name}:{reader.line_num}")
            number += 1


def _cells_row(header: list[str], cells: list[str], number: int, where: str) -> Row:
    if len(cells) != len(header):
        message = f"The row has {len(cells)} cells, the header has {len(header)}."
        return Row(number, {}, ErrorRecord("RowUnreadable", message, where=where))
    try:
        "".join(cells).encode()
    except UnicodeEncodeError:
        return Row(number, {}, ErrorRecord("RowUnreadable", "The row is not UTF-8 text.", where=where))
    return Row(number, dict(zip(header, cells, strict=True)))
