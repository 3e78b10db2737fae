"""What files were when they were read last, so that those that have not changed since need not be read again."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import time
from pathlib import Path

from flowyard._util.files import write_atomic

__all__ = ["SeenFiles"]

_FRESH_NS = 2_000_000_000
"""A file that was changed so shortly before it was read may have been changed again at what its clock calls the same
time: it is read anew."""
_DIGEST = re.compile(r"[0-9a-f]{64}")

Mark = tuple[int, int, int, int]


class SeenFiles:
    """The digests of the files below one folder, or of one file, kept in ``folder`` of the registry's home.

    A file counts as unchanged when its inode, its size and the times of its content and of its entry are what they
    were. What is noted here is a shortcut only: whatever is copied into the registry is read and checked all the same,
    and a file of notes that is missing or damaged costs time.
    """

    def __init__(self, folder: Path, root: Path) -> None:
        self._file = folder / f"{hashlib.sha256(os.fsencode(root.resolve())).hexdigest()}.json"
        self._known = _read(self._file)
        self._noted: dict[str, tuple[Mark, str]] = {}

    def digest(self, name: str, status: os.stat_result) -> str | None:
        """The digest of the file of that name, when it is what it was; None when it has to be read."""
        known = self._known.get(name)
        if known is None or known[0] != _mark(status):
            return None
        self._noted[name] = known
        return known[1]

    def note(self, name: str, before: os.stat_result, after: os.stat_result, digest: str) -> None:
        """A file was read, and this is its digest; ``before`` and ``after`` are what it was then."""
        mark = _mark(before)
        if mark == _mark(after) and max(mark[2:]) < time.time_ns() - _FRESH_NS:
            self._noted[name] = (mark, digest)

    def save(self) -> None:
        """Keep the notes, where they differ from those that are there; that they cannot be written changes nothing."""
        if self._noted != self._known:
            with contextlib.suppress(OSError):
                self._file.parent.mkdir(parents=True, exist_ok=True)
                write_atomic(self._file, json.dumps(self._noted), durable=False)


def _mark(status: os.stat_result) -> Mark:
    return status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def _read(file: Path) -> dict[str, tuple[Mark, str]]:
    try:
        return {str(name): _parsed(*entry) for name, entry in json.loads(file.read_bytes()).items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def _parsed(mark: list[int], digest: str) -> tuple[Mark, str]:
    inode, size, modified, changed = mark
    if not _DIGEST.fullmatch(digest):
        raise ValueError(digest)
    return (inode, size, modified, changed), digest
