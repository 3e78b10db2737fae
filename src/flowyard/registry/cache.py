"""The files of versions on this machine, read only, under the names that they were registered with.

trees/<digest>/<names>      a version's files, whole
unpacking/<digest>          one that is being fetched, by whoever holds the lock beside it
"""

from __future__ import annotations

import os
import shutil
import stat
import uuid
from collections.abc import Callable
from pathlib import Path

from flowyard._util.lock import locked
from flowyard.errors import StoreError
from flowyard.registry.blobs import damaged, missing, outside_errors
from flowyard.registry.model import Version, version_digest
from flowyard.registry.tree import TreeFile, hash_files, is_plain_name

__all__ = ["TreeCache", "require_sound"]


class TreeCache:
    """The trees below a folder. Many processes may use it at once; each tree is fetched by one of them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def place(self, version: Version) -> Path:
        """The folder of a version's files, whether it is there or not."""
        return self._folder / "trees" / version.digest

    def get(self, version: Version, fetch: Callable[[Version, Path], None]) -> Path:
        """The folder of a version's files, every byte checked; fetched when it is not there, or not as it should be.

        Raises StoreError for a version that is damaged where it is kept, and what ``fetch`` raises.
        """
        require_sound(version)
        place = self.place(version)
        with outside_errors(self._folder):
            if place.is_dir() and _is_whole(place, version.files):
                return place
            work = self._folder / "unpacking" / version.digest
            work.parent.mkdir(parents=True, exist_ok=True)
            with locked(work.with_suffix(".lock")):
                if not (place.is_dir() and _is_whole(place, version.files)):
                    self._fetch(version, work, fetch)
        return place

    def _fetch(self, version: Version, work: Path, fetch: Callable[[Version, Path], None]) -> None:
        shutil.rmtree(work, ignore_errors=True)  # what a killed process left
        work.mkdir()
        try:
            fetch(version, work)
            _require_whole(work, version.files)
            place = self.place(version)
            place.parent.mkdir(exist_ok=True)
            if place.exists():  # damaged
                grave = work.with_name(uuid.uuid4().hex)
                place.rename(grave)
                shutil.rmtree(grave)
            work.rename(place)
        finally:
            shutil.rmtree(work, ignore_errors=True)


def require_sound(version: Version) -> None:
    """Raise StoreError when a version's names lead elsewhere or into each other, or do not fit its digest."""
    names = [file.name for file in version.files]
    folders = {name[:end] for name in names for end, letter in enumerate(name) if letter == "/"}
    sound = all(map(is_plain_name, names)) and len(set(names)) == len(names) and folders.isdisjoint(names)
    if not sound or not _fits_digest(version):
        raise StoreError(
            f"{version.kind} {version.label!r} was changed in the registry: its files do not fit its digest.",
            hint="Restore it from where it came.",
        )


def _fits_digest(version: Version) -> bool:
    try:
        return version_digest(version.files, version.is_folder, version.settings) == version.digest
    except (ValueError, TypeError, OverflowError):
        return False


def _is_whole(folder: Path, files: tuple[TreeFile, ...]) -> bool:
    try:
        _require_whole(folder, files)
    except StoreError:
        return False
    return True


def _names_below(folder: Path) -> set[str]:
    """The names of all files; what lies behind a link to a folder does not count."""
    start = len(str(folder)) + 1
    return {
        f"{here}{os.sep}{name}"[start:].replace(os.sep, "/") for here, _, names in os.walk(folder) for name in names
    }


def _require_whole(folder: Path, files: tuple[TreeFile, ...]) -> None:
    """Raise StoreError when a file is missing, is none, has other bytes, or when there is one too many."""
    for file in files:
        path = folder / file.name
        try:
            found = path.lstat()
        except (FileNotFoundError, NotADirectoryError):
            raise missing(str(path)) from None
        if not stat.S_ISREG(found.st_mode) or found.st_size != file.size:
            raise damaged(str(path))
    if _names_below(folder) != {file.name for file in files}:
        raise StoreError(f"{folder} of the registry has other files than its version.", hint="Remove that folder.")
    for file, read in zip(files, hash_files([(file.name, folder / file.name) for file in files]), strict=True):
        if read != file:
            raise damaged(str(folder / file.name))
