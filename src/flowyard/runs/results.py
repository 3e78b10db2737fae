"""The results of a run on disk: one JSON object a line, appended as lines finish.

``lines.jsonl`` is the truth. ``outputs.jsonl`` is derived from it when the run ends: completed lines only, ascending.
A line that ran again, because its run was resumed, stands in it more than once, and the last one counts.
"""

from __future__ import annotations

import json
import os
import re
import time
from array import array
from collections.abc import Iterator
from itertools import repeat
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from flowyard._util.files import dump_json
from flowyard.errors import StoreError
from flowyard.records import LineResult, RunRecord
from flowyard.sessions.encoding import is_whole, read_head, read_line
from flowyard.sessions.session import FinishedLine

__all__ = [
    "LinePlaces",
    "ResultWriter",
    "failed_lines",
    "read_heads",
    "read_lines",
    "scan_raw_lines",
    "stored_lines",
    "write_outputs",
]

_SYNC_EVERY_S = 2.0
_MOST_GAP = 100_000
_NUMBER = re.compile(rb'\{"line_number": (-?\d+), "status": "(\w+)"')


class ResultWriter:
    """Appends finished lines to ``lines.jsonl``; each is with the system before the next one is taken.

    The system is asked to put them on the disk itself every two seconds and at the end.
    """

    def __init__(self, path: Path) -> None:
        self._file: BinaryIO = path.open("ab", buffering=0)
        self._synced_s = time.monotonic()

    def append(self, *lines: FinishedLine) -> None:
        """Store some lines. Raises OSError."""
        data = b"".join([line.text + b"\n" for line in lines])
        written = self._file.write(data)
        while written < len(data):  # a nearly full disk takes a part
            written += self._file.write(data[written:])
        if time.monotonic() - self._synced_s > _SYNC_EVERY_S:
            os.fsync(self._file.fileno())
            self._synced_s = time.monotonic()

    def __enter__(self) -> ResultWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            os.fsync(self._file.fileno())
        finally:
            self._file.close()


class LinePlaces:
    """Where each line is in a file, by its number. Numbers that follow each other take eight bytes each."""

    def __init__(self) -> None:
        self._dense = array("q")
        self._sparse: dict[int, int] = {}
        self._count = 0

    def put(self, number: int, offset: int) -> None:
        """Note where a line is; the last place counts."""
        self._count += 1
        missing = number + 1 - len(self._dense)
        if number < 0 or missing > _MOST_GAP + self._count:
            self._sparse[number] = offset
            return
        if missing > 0:
            self._dense.extend(repeat(-1, missing))
        self._dense[number] = offset

    def __len__(self) -> int:
        """How often a place was noted."""
        return self._count

    def __contains__(self, number: int) -> bool:
        return (0 <= number < len(self._dense) and self._dense[number] >= 0) or number in self._sparse

    def in_order(self) -> Iterator[int]:
        """The places, ascending by line number."""
        before = sorted(number for number in self._sparse if number < 0)
        yield from (self._sparse[number] for number in before)
        later = {number for number in self._sparse if number >= 0}
        for number, offset in enumerate(self._dense):
            if number in later:  # the file had it before and after its neighbours
                later.discard(number)
                yield max(offset, self._sparse[number])
            elif offset >= 0:
                yield offset
        yield from (self._sparse[number] for number in sorted(later))


def scan_raw_lines(path: Path) -> Iterator[tuple[bytes, int]]:
    """Every stored line and where it begins, in the order of the file; a torn last one is left out."""
    offset = 0
    with path.open("rb") as file:
        for raw in file:
            if raw.endswith(b"\n"):
                yield raw, offset
            offset += len(raw)


def read_heads(raw: bytes) -> tuple[int, str]:
    """Number and status of a stored line, with little of it parsed. Raises StoreError when it is damaged."""
    match = _NUMBER.match(raw)
    if match is not None:
        return int(match[1]), match[2].decode()
    try:
        data = json.loads(raw)
        return int(data["line_number"]), str(data["status"])
    except (ValueError, KeyError, TypeError) as error:
        raise StoreError(
            f"A stored line is damaged: {error}.", hint="Lines that are damaged are run again by: flowyard run resume"
        ) from None


def stored_lines(run: RunRecord) -> Iterator[bytes]:
    """The stored bytes of every finished line, ascending by line number, the last one of each number.

    Only the position of each line is kept in memory, not its content. Raises StoreError when a line is so damaged that
    its place is not known.
    """
    places = LinePlaces()
    if not run.lines_path.exists():
        return
    repeated = False
    for raw, offset in scan_raw_lines(run.lines_path):
        number = read_heads(raw)[0]
        repeated = repeated or number in places
        places.put(number, offset)
    if repeated:  # by a line that ran again, or because a number is not what it was
        _require_whole_lines(run)
    with run.lines_path.open("rb") as file:
        for offset in places.in_order():
            if file.tell() != offset:
                file.seek(offset)
            yield file.readline()


def _require_whole_lines(run: RunRecord) -> None:
    for raw, _ in scan_raw_lines(run.lines_path):
        if not is_whole(raw):
            read_line(raw, _label(run))


def _label(run: RunRecord) -> str:
    return f"A line in {run.lines_path.name} of run {run.name!r}"


def read_lines(run: RunRecord) -> Iterator[LineResult]:
    """Every finished line of a run, ascending by line number; a torn last record is left out.

    Raises StoreError when a line is damaged.
    """
    label = _label(run)
    return (read_line(raw, label) for raw in stored_lines(run))


def failed_lines(run: RunRecord) -> Iterator[LineResult]:
    """The lines that failed, ascending; of the others little is read. Raises StoreError when one is damaged."""
    for raw in stored_lines(run):
        if read_heads(raw)[1] == "failed":
            yield read_line(raw, f"A line in {run.lines_path.name} of run {run.name!r}")


def write_outputs(run: RunRecord) -> None:
    """Write ``outputs.jsonl`` from ``lines.jsonl``. Raises StoreError when a line is damaged, OSError."""
    temporary = run.outputs_path.with_suffix(".jsonl.part")
    with temporary.open("w", encoding="utf-8", newline="\n") as file:
        for raw in stored_lines(run):
            output = _output_line(raw, run)
            if output is not None:
                file.write(output)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(run.outputs_path)


def _output_line(raw: bytes, run: RunRecord) -> str | None:
    """A line of ``outputs.jsonl``: the number first for people, and so that no output takes its place."""
    head = read_head(raw) if is_whole(raw) else None
    if head is not None and '"line_number"' not in head.outputs:
        if head.status != "completed":
            return None
        joint = "" if head.outputs == "{}" else ", "
        return f'{{"line_number": {head.line_number}{joint}{head.outputs[1:]}\n'
    line = read_line(raw, _label(run))
    if line.status != "completed":
        return None
    number = {"line_number": line.line_number}
    return dump_json(number | dict(line.outputs) | number) + "\n"
