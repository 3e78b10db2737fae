"""Files of production records, read from where the last look ended, a bounded part at a time.

A file is known by its first line, not by its name: renamed, copied and rotated files are not read twice.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, NamedTuple

from flowyard.errors import OutsideError, UserError
from flowyard.production.records.model import Record, parse_record

__all__ = ["PART_BYTES", "BrokenLine", "FileMark", "Part", "file_head", "iter_parts", "record_files"]

PART_BYTES = 4 * 1024 * 1024
_LONGEST_LINE = 64 * 1024 * 1024
_TAIL_BYTES = 256
_FILE_NAME = re.compile(r"[^.].*\.jsonl([.-]\d+)?")
"""``x.jsonl``, and what tools that rotate files make of it: ``x.jsonl.1``, ``x.jsonl-20260301``."""


@dataclass(frozen=True, slots=True)
class FileMark:
    """How far a file was read: ``offset`` bytes and ``lines``. ``tail`` is the digest of the last bytes before that."""

    head: str
    offset: int = 0
    lines: int = 0
    tail: str = ""


@dataclass(frozen=True, slots=True)
class BrokenLine:
    """A line that is no record, where it stands and why."""

    where: str
    reason: str


@dataclass(frozen=True, slots=True)
class Part:
    """Whole lines of a file: their records, what is broken, how many are of kinds not known, and the mark after them.

    ``bytes`` are those of its lines.
    """

    records: Sequence[Record]
    broken: Sequence[BrokenLine]
    others: int
    bytes: int
    mark: FileMark


def record_files(folder: Path) -> list[Path]:
    """The files of a folder that may hold records, oldest names first. Raises UserError when it is no folder."""
    if not folder.is_dir():
        raise UserError(f"There is no folder {folder}.", hint="Name what FLOWYARD_SERVE_RECORDS names.")
    try:
        return sorted(each for each in folder.iterdir() if _FILE_NAME.fullmatch(each.name) and each.is_file())
    except OSError as error:
        raise OutsideError(f"Cannot read {folder}: {error.strerror}.") from error


def file_head(file: BinaryIO) -> str | None:
    """What a file is known by: the digest of its first line; None while that is not complete."""
    file.seek(0)
    line = file.readline(_LONGEST_LINE)
    return _digest(line) if line.endswith(b"\n") else None


def iter_parts(path: Path, file: BinaryIO, mark: FileMark, part_bytes: int = PART_BYTES) -> Iterator[Part]:
    """The lines of a file after a mark. A last line without its end is left for the next time.

    A file that is not what it was when the mark was made is read from its beginning.
    """
    if not _still_fits(file, mark):
        mark = FileMark(mark.head)
    file.seek(mark.offset)
    while lines := _whole_lines(file, part_bytes):
        part = _part(path, lines, mark, file)
        mark = part.mark
        file.seek(mark.offset)
        yield part


def _still_fits(file: BinaryIO, mark: FileMark) -> bool:
    return mark.offset > 0 and _tail(file, mark.offset) == mark.tail


def _tail(file: BinaryIO, offset: int) -> str:
    start = max(offset - _TAIL_BYTES, 0)
    file.seek(start)
    return _digest(file.read(offset - start))


class _Line(NamedTuple):
    """A whole line; its ``text`` is None when it is longer than any record."""

    text: bytes | None
    size: int


def _whole_lines(file: BinaryIO, part_bytes: int) -> list[_Line]:
    """Lines of about one part; of one that is too long nothing is kept."""
    found: list[_Line] = []
    size = 0
    while size < part_bytes:
        line = _whole_line(file)
        if line is None:
            break
        found.append(line)
        size += line.size
    return found


def _whole_line(file: BinaryIO) -> _Line | None:
    """The next line; None when it has no end yet."""
    text = file.readline(_LONGEST_LINE)
    if text.endswith(b"\n"):
        return _Line(text, len(text))
    size = len(text)
    while text and not text.endswith(b"\n"):
        text = file.readline(1 << 20)
        size += len(text)
    return _Line(None, size) if text else None


def _part(path: Path, lines: Sequence[_Line], mark: FileMark, file: BinaryIO) -> Part:
    records: list[Record] = []
    broken: list[BrokenLine] = []
    others = 0
    for number, line in enumerate(lines, mark.lines + 1):
        if line.text is not None and not line.text.strip():
            continue
        try:
            record = _record(line)
        except ValueError as error:
            broken.append(BrokenLine(f"{path}:{number}", str(error)))
            continue
        if record is None:
            others += 1
        else:
            records.append(record)
    size = sum(line.size for line in lines)
    offset = mark.offset + size
    after = FileMark(mark.head, offset, mark.lines + len(lines), _tail(file, offset))
    return Part(records, broken, others, size, after)


def _record(line: _Line) -> Record | None:
    if line.text is None:
        raise ValueError(f"it is longer than {_LONGEST_LINE >> 20} MB")
    return parse_record(line.text)


def _digest(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=16).hexdigest()
