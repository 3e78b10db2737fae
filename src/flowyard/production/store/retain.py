"""Deleting what is older than some days: records in the store, and files that were wholly collected."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from flowyard.errors import OutsideError
from flowyard.production.records.files import file_head, record_files
from flowyard.production.records.instants import milliseconds
from flowyard.production.store.store import ProductionStore

__all__ = ["Old", "delete_old", "find_old"]


@dataclass(frozen=True, slots=True)
class Old:
    """What is older than ``until``: how many records of each kind, and files. ``kept`` are old files not collected."""

    until: datetime
    records: Mapping[str, int]
    files: Sequence[Path]
    kept: Sequence[Path]


@dataclass(frozen=True, slots=True)
class _OldFile:
    path: Path
    head: str | None
    is_collected: bool


def find_old(store: ProductionStore, folders: Sequence[Path], until: datetime) -> Old:
    """What ``delete_old`` would delete; changes nothing. Raises UserError for what is no folder."""
    found = _old_files(store, folders, until)
    return _old(found, store.count_before(until), until)


def delete_old(store: ProductionStore, folders: Sequence[Path], until: datetime) -> Old:
    """Delete records older than ``until``, and files that were wholly collected and not written to since."""
    found = _old_files(store, folders, until)
    done = [replace(each, is_collected=each.is_collected and _delete(store, each)) for each in found]
    return _old(done, store.delete_before(until), until)


def _old(found: Sequence[_OldFile], records: Mapping[str, int], until: datetime) -> Old:
    files = [each.path for each in found if each.is_collected]
    return Old(until, records, files, [each.path for each in found if not each.is_collected])


def _old_files(store: ProductionStore, folders: Sequence[Path], until: datetime) -> list[_OldFile]:
    paths = [path for folder in folders for path in record_files(folder)]
    return [found for path in paths if (found := _old_file(store, path, until)) is not None]


def _old_file(store: ProductionStore, path: Path, until: datetime) -> _OldFile | None:
    try:
        if _written(path) >= milliseconds(until):
            return None
        with path.open("rb") as file:
            head = file_head(file)
        size = path.stat().st_size
    except OSError as error:
        raise OutsideError(f"Cannot read {path}: {error.strerror}.") from error
    return _OldFile(path, head, size == 0 or (head is not None and store.mark(head).offset == size))


def _written(path: Path) -> int:
    return milliseconds(datetime.fromtimestamp(path.stat().st_mtime, UTC))


def _delete(store: ProductionStore, old: _OldFile) -> bool:
    """Delete a file, unless somebody has written to it just now; the writer's next record begins a new file."""
    aside = old.path.with_name(f".{old.path.name}.old")
    try:
        size = old.path.stat().st_size
        old.path.rename(aside)
        if aside.stat().st_size != size:
            aside.rename(old.path)
            return False
        aside.unlink()
    except OSError as error:
        with suppress(OSError):
            aside.rename(old.path)
        raise OutsideError(f"Cannot delete {old.path}: {error.strerror}.") from error
    if old.head is not None:
        store.forget_file(old.head)
    return True
