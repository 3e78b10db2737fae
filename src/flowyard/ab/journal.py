"""What a test did, event by event, in a file that is only ever added to."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flowyard._util.checked_json import checked_text, take_checksum
from flowyard._util.files import dump_json
from flowyard._util.lock import try_lock
from flowyard.errors import Conflict, OutsideError, StoreError

__all__ = ["AbJournal"]


@dataclass(frozen=True, slots=True)
class AbJournal:
    """``<home>/ab/<name>/journal.jsonl``: one event a line, each with a checksum. A torn last line never happened."""

    folder: Path

    @classmethod
    def of(cls, home: Path, name: str) -> AbJournal:
        """The journal of the test of that name; ``name`` is one that a policy may have."""
        return cls(home / "ab" / name)

    @property
    def path(self) -> Path:
        return self.folder / "journal.jsonl"

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Be the only one who carries the test on. Raises Conflict while somebody else does, OutsideError."""
        with _written():
            self.folder.mkdir(parents=True, exist_ok=True)
            file = (self.folder / "journal.lock").open("a+b")
        with file:
            if not try_lock(file):
                raise Conflict(
                    f"Another process carries on the test {self.folder.name}.", hint="Wait until it has ended."
                )
            yield

    def events(self) -> Sequence[dict[str, Any]]:
        """Every event, oldest first. Raises StoreError when one before the last is not what was written."""
        try:
            lines = self.path.read_bytes().split(b"\n")
        except FileNotFoundError:
            return []
        except OSError as error:
            raise OutsideError(f"Cannot read {self.path}: {error.strerror}.") from None
        found: list[dict[str, Any]] = []
        for number, line in enumerate(lines[:-1], 1):  # what follows the last line's end was torn off by a kill
            event = _event(line)
            if event is None:
                raise StoreError(
                    f"{self.path}:{number} is damaged: it is not what was written.",
                    hint="Restore it, or end the test by hand and move the folder away.",
                )
            found.append(event)
        return found

    def add(self, event: Mapping[str, Any]) -> None:
        """Write an event down; it is on disk when this returns. Only while ``alone``."""
        line = json.loads(checked_text(event))
        with _written(), self.path.open("ab+") as file:
            whole = _whole_length(file)
            if file.tell() != whole:
                file.truncate(whole)
            file.write(dump_json(line).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())


def _whole_length(file: Any) -> int:
    """Where the last whole line ends."""
    end: int = file.seek(0, os.SEEK_END)
    if end == 0:
        return 0
    file.seek(0)
    whole = file.read().rfind(b"\n") + 1
    file.seek(0, os.SEEK_END)
    return int(whole)


def _event(line: bytes) -> dict[str, Any] | None:
    try:
        body: dict[str, Any] = json.loads(line)
        return body if take_checksum(body) else None
    except (ValueError, TypeError, AttributeError, RecursionError):
        return None


@contextmanager
def _written() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OutsideError(
            f"The test's journal cannot be written: {error.strerror or error}: {error.filename}",
            hint="What was done is kept; give the same command again once it can be.",
        ) from error
