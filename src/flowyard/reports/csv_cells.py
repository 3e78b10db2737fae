"""CSV files whose cells no spreadsheet runs, written row by row and put in place as a whole."""

from __future__ import annotations

import csv
import math
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from flowyard._util.files import dump_json

__all__ = ["TableWriter", "open_table", "safe_cell", "write_table"]

_EXECUTED = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def safe_cell(value: Any) -> str:
    """The text of one cell. Text that a spreadsheet would run as a formula gets a leading apostrophe.

    None and NaN, which mean that there is no value, are empty.
    """
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if not isinstance(value, str):
        return dump_json(value)
    return f"'{value}" if value.startswith(_EXECUTED) and not _is_number(value) else value


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return text == text.strip()


class TableWriter:
    """Writes records under fixed columns; what a record has no value for is empty."""

    def __init__(self, file: Any, columns: Sequence[str]) -> None:
        self._columns = columns
        self._plain = csv.writer(file, lineterminator="\n")
        self._quoted = csv.writer(file, lineterminator="\n", quoting=csv.QUOTE_ALL)
        self.put([safe_cell(name) for name in columns])

    def write(self, record: Mapping[str, Any]) -> Sequence[str]:
        """Write a record; returns its cells, which ``put`` takes in a table with the same columns."""
        cells = [safe_cell(record.get(name)) for name in self._columns]
        self.put(cells)
        return cells

    def put(self, cells: Sequence[str]) -> None:
        """Python quotes a carriage return from 3.13 on only; without quotes it ends the row for readers."""
        (self._quoted if any("\r" in cell for cell in cells) else self._plain).writerow(cells)


@contextmanager
def open_table(path: Path, columns: Sequence[str]) -> Iterator[TableWriter]:
    """Write next to the target and put it in place at the end. Lone surrogates become escapes."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with temporary.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file:
            yield TableWriter(file, columns)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_table(path: Path, columns: Sequence[str], records: Iterable[Mapping[str, Any]]) -> Path:
    """Write all records; returns the path."""
    with open_table(path, columns) as table:
        for record in records:
            table.write(record)
    return path
