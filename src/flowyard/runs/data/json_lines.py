"""JSON lines: one object a line."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from flowyard.runs.data.files import BrokenData, DataFile, line_chunks
from flowyard.runs.data.rows import FileRow, Scan, unreadable

__all__ = ["json_row", "looks_like_json_lines", "object_row", "read_json_lines", "scan_json_lines", "scan_value"]

_MARK = b"\xef\xbb\xbf"
_ENDS = frozenset(("\n", "", "\r\n"))
scan_value: Callable[[str, int], tuple[Any, int]] = json.JSONDecoder().scan_once  # type: ignore[attr-defined]


def read_json_lines(file: DataFile) -> Iterator[FileRow]:
    """The rows; lines that are blank are none."""
    name, position = file.name, 0
    with file.open() as stream:
        try:
            for raw in stream:
                position += 1
                try:  # what nearly every line is: an object and the line's end
                    text = raw.decode()
                    values, end = scan_value(text, 0)
                    simple = type(values) is dict and text[end:] in _ENDS
                except (ValueError, StopIteration, RecursionError):
                    simple = False
                if simple:
                    yield values
                elif (row := _odd_row(raw, position, name)) is not None:
                    yield row
        except BrokenData as error:
            yield unreadable(str(error), f"{name}:{position + 1}")


def scan_json_lines(file: DataFile, name: str | None) -> Scan:
    """Counts lines in large pieces, and parses only those lines whose bytes hold the name."""
    rows, found, start = 0, False, _MARK
    with file.open() as stream:
        try:
            for whole in line_chunks(stream):
                chunk, start = whole.removeprefix(start), b""
                rows += _count_lines(chunk)
                found = found or (name is not None and _any_has(chunk, name))
        except BrokenData:
            rows += 1
    return Scan(rows, found)


def looks_like_json_lines(file: DataFile) -> bool:
    """Whether the first line that is not blank is a JSON object."""
    try:
        with file.open() as stream:
            first = next((raw for raw in stream if raw.strip()), b"")
    except BrokenData:
        return False
    return isinstance(json_row(first.removeprefix(_MARK), ""), Mapping)


def json_row(text: bytes, where: str) -> FileRow:
    """The object that a line holds, or what is wrong with it."""
    try:
        values = json.loads(text.decode("utf-8"))
    except UnicodeDecodeError as error:
        return unreadable(f"The row is not UTF-8 text: {error.reason}.", where)
    except (ValueError, RecursionError) as error:
        return unreadable(f"The row is not valid JSON: {error}.", where)
    return object_row(values, where)


def object_row(values: Any, where: str) -> FileRow:
    """The values if they are an object, else the error that they are not."""
    if isinstance(values, dict):
        return values
    return unreadable(f"The row is a JSON {type(values).__name__}, not an object.", where)


def _odd_row(raw: bytes, position: int, name: str) -> FileRow | None:
    text = raw.removeprefix(_MARK) if position == 1 else raw
    if not text.strip():
        return None
    return json_row(text, f"{name}:{position}")


def _count_lines(chunk: bytes) -> int:
    """How many lines of whole lines are not blank; those that begin an object are counted without being cut out."""
    lines = chunk.count(b"\n") + (chunk != b"" and not chunk.endswith(b"\n"))
    if chunk.startswith(b"{") and chunk.count(b"\n{") == lines - 1:
        return lines
    return sum(1 for line in chunk.split(b"\n") if line.strip())


def _any_has(chunk: bytes, name: str) -> bool:
    wanted = json.dumps(name).encode()
    if wanted not in chunk:
        return False
    rows = (json_row(raw, "") for raw in chunk.split(b"\n") if wanted in raw)
    return any(isinstance(row, dict) and name in row for row in rows)
