"""Tables of known answers: the row of a dataset that a prompt asks about."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flowyard._util.suggest import did_you_mean, known_names

__all__ = ["AnswerTable", "find_row", "load_table"]

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class AnswerTable:
    """Rows with the text that identifies each of them, longest text first."""

    entries: tuple[tuple[str, Row], ...]


def load_table(path: Path, column: str) -> AnswerTable:
    """Read a ``.jsonl``, ``.json`` (a list of objects) or ``.csv`` file; raises ValueError saying what is wrong."""
    rows = _read_rows(path)
    if not any(column in row for row in rows):
        columns = list(dict.fromkeys(name for row in rows for name in row))
        hint = did_you_mean(column, columns) or f"Known: {known_names(columns)}."
        raise ValueError(f"{path.name} has no column {column!r}. {hint}")
    entries = [(_plain(str(row[column])), row) for row in rows if row.get(column) is not None]
    return AnswerTable(tuple(sorted((entry for entry in entries if entry[0]), key=lambda entry: -len(entry[0]))))


def find_row(tables: Iterable[AnswerTable], texts: Sequence[str]) -> Row | None:
    """The row whose text occurs in the first of ``texts`` that holds any; of several, the longest text.

    Runs of white space count as one space, because prompt templates re-flow what they quote.
    """
    ordered = list(tables)
    for text in map(_plain, texts):
        hits = [hit for table in ordered if (hit := _first_in(table, text))]
        if hits:
            return max(hits, key=lambda hit: len(hit[0]))[1]
    return None


def _first_in(table: AnswerTable, text: str) -> tuple[str, Row] | None:
    return next((entry for entry in table.entries if entry[0] in text), None)


def _plain(text: str) -> str:
    return " ".join(text.split())


def _read_rows(path: Path) -> list[Row]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise ValueError(f"file not found: {path}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"cannot read {path}: {error}") from None
    rows = _parse_rows(text, path)
    if not rows or not all(isinstance(row, dict) for row in rows):
        raise ValueError(f"{path.name} must hold one or more JSON objects or rows")
    return rows


def _parse_rows(text: str, path: Path) -> list[Row]:
    if path.suffix == ".csv":
        return list(csv.DictReader(text.splitlines(keepends=True)))
    if path.suffix == ".json":
        try:
            data = json.loads(text)
        except ValueError as error:
            raise ValueError(f"{path.name} is not JSON: {error}") from None
        return data if isinstance(data, list) else []
    return [
        _parse_line(line, f"{path.name}:{number}") for number, line in enumerate(text.split("\n"), 1) if line.strip()
    ]


def _parse_line(line: str, where: str) -> Row:
    try:
        row = json.loads(line)
    except ValueError as error:
        raise ValueError(f"{where} is not JSON: {error}") from None
    if not isinstance(row, dict):
        raise ValueError(f"{where} is not a JSON object")
    return row
