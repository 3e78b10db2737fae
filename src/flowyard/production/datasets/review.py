"""A file of dataset lines that a person looks through and edits, as CSV or JSON lines, and reading it back.

What was not edited comes back as it was, with its type. ``keep`` is the column that a person answers.
"""

from __future__ import annotations

import csv
import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

from flowyard._util.files import dump_json
from flowyard.errors import OutsideError, Problem, UserError
from flowyard.production.datasets.lines import OWN_COLUMNS, DatasetLine
from flowyard.reports.csv_cells import safe_cell

__all__ = ["KEEP", "read_reviewed", "write_review"]

KEEP = "keep"
_NO = frozenset({"no", "n", "false", "0"})
_YES = frozenset({"", "none", "yes", "y", "true", "1"})
_MOST_PROBLEMS = 20


def write_review(path: Path, lines: Sequence[DatasetLine]) -> None:
    """Write the lines, put in place as a whole. Raises UserError for another ending, OutsideError."""
    write = _write_csv if _is_csv(path) else _write_jsonl
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with temporary.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file:
            write(file, lines)
        temporary.replace(path)
    except OSError as error:
        raise OutsideError(f"Cannot write {path}: {error.strerror}.") from error
    finally:
        temporary.unlink(missing_ok=True)


def read_reviewed(path: Path) -> list[DatasetLine]:
    """The lines that are to be kept, without ``keep``.

    Raises UserError when the file cannot be read or is not what was written; it names every line that is wrong.
    """
    rows = _rows_of_csv(path) if _is_csv(path) else _rows_of_jsonl(path)
    kept: list[DatasetLine] = []
    problems: list[Problem] = []
    try:
        for number, row in rows:
            problem = row if isinstance(row, str) else _problem(row)
            if problem is not None:
                problems.append(Problem(problem, where=f"{path}:{number}"))
            elif not isinstance(row, str) and _answer(row) not in _NO:
                kept.append({name: value for name, value in row.items() if name != KEEP})
    except (OSError, ValueError, csv.Error) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no UTF-8 text of that form"
        raise UserError(f"Cannot read {path}: {reason}.") from error
    if problems:
        shown = "\n".join(f"  {each}" for each in problems[:_MOST_PROBLEMS])
        raise UserError(f"{path} cannot be registered:\n{shown}")
    return kept


def _is_csv(path: Path) -> bool:
    if path.suffix not in (".csv", ".jsonl"):
        raise UserError(f"A file for review ends with .csv or .jsonl, not as {path.name!r} does.")
    return path.suffix == ".csv"


def _answer(row: Mapping[str, Any]) -> str:
    return str(row.get(KEEP)).strip().lower()


def _problem(row: Mapping[str, Any]) -> str | None:
    if _answer(row) not in _NO | _YES:
        return f"{KEEP!r} must be yes or no"
    if not any(name.startswith("inputs.") for name in row):
        return "it has no inputs"
    strange = sorted(
        name for name in row if name not in (KEEP, *OWN_COLUMNS) and not name.startswith(("inputs.", "outputs."))
    )
    return f"there is no column {strange[0]!r}" if strange else None


def _write_jsonl(file: TextIO, lines: Sequence[DatasetLine]) -> None:
    file.writelines(dump_json({KEEP: "yes", **line}) + "\n" for line in lines)


def _rows_of_jsonl(path: Path) -> Iterator[tuple[int, DatasetLine | str]]:
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            if line.strip():
                yield number, _row_of_json(line)


def _row_of_json(line: str) -> DatasetLine | str:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return "it is no JSON"
    return found if isinstance(found, dict) else "it is no JSON object"


def _write_csv(file: TextIO, lines: Sequence[DatasetLine]) -> None:
    names = dict.fromkeys(name for line in lines for name in line)
    columns = [
        KEEP,
        *(name for name in OWN_COLUMNS[:3] if name in names),
        *(name for name in names if name not in OWN_COLUMNS),
        *(name for name in OWN_COLUMNS[3:] if name in names),
    ]
    table = csv.writer(file, lineterminator="\n", quoting=csv.QUOTE_ALL)
    table.writerow(map(_escaped, columns))
    for line in lines:
        table.writerow(["yes", *(_cell(line, name) for name in columns[1:])])


def _cell(line: DatasetLine, name: str) -> str:
    """Text as it is, unless reading would take it for something else; other values as JSON, no value as nothing."""
    if line.get(name) is None:
        return "" if name not in line or name in OWN_COLUMNS else "null"
    value = line[name]
    return _escaped(value) if isinstance(value, str) and _is_plain(value) else dump_json(value)


def _is_plain(text: str) -> bool:
    """Whether reading gives the same; half of a surrogate pair stands in no file."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return _value(text) == (True, text)


def _escaped(text: str) -> str:
    """Nothing that a spreadsheet runs; what begins with our apostrophe gets another one, to be told apart."""
    return f"'{text}" if text.startswith("'") else safe_cell(text)


def _rows_of_csv(path: Path) -> Iterator[tuple[int, DatasetLine | str]]:
    csv.field_size_limit(min(sys.maxsize, 2**31 - 1))
    with path.open(encoding="utf-8-sig", newline="") as file:
        table = csv.reader(file)
        columns = [name.removeprefix("'") for name in next(table, [])]
        if len(set(columns)) < len(columns):
            yield 1, "two columns have one name"
            return
        for cells in table:
            if cells:
                yield table.line_num, _row_of_cells(columns, cells)


def _row_of_cells(columns: Sequence[str], cells: Sequence[str]) -> DatasetLine | str:
    if len(cells) > len(columns):
        return f"it has {len(cells)} cells, and there are {len(columns)} columns"
    row = {}
    for name, cell in zip(columns, cells, strict=False):
        has_value, value = (True, cell[1:]) if cell.startswith("'") else _value(cell)
        if has_value or name in OWN_COLUMNS or name == KEEP:
            row[name] = value
    return row


def _value(cell: str) -> tuple[bool, Any]:
    """Whether a cell has a value, and it: what JSON says, else the text."""
    if not cell:
        return False, None
    try:
        return True, json.loads(cell)
    except (ValueError, RecursionError):
        return True, cell
