"""Contents of files, each kept once under its digest."""

from __future__ import annotations

import hashlib
import os
import shutil
import time
import uuid
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from flowyard.errors import Conflict, OutsideError, StoreError
from flowyard.registry.tree import TreeFile

__all__ = ["Blobs", "LocalBlobs", "changed_while_read", "copy_checked", "damaged", "missing", "outside_errors"]

_PIECE = 1 << 20
_READ_ONLY = 0o444
_THREADS = 8
_LONG_AGO_S = 24 * 3600.0
_AGAIN = "register the same content again, which puts it back; or restore it from a backup."


class Blobs(ABC):
    """Contents by digest, for many processes at once. What was put is never changed.

    Methods raise OutsideError when the place cannot be reached, read or written.
    """

    label: str
    """Where it is, without secrets."""

    shares_files = False
    """Whether ``get`` gives the kept files themselves, so that it copies nothing."""

    @abstractmethod
    def has(self, file: TreeFile) -> bool:
        """Whether the content is there, whole by its size."""

    @abstractmethod
    def put(self, file: TreeFile, place: Path) -> None:
        """Keep what is read at ``place``, unless it is there. Raises Conflict, and keeps nothing, if it is other bytes
        than ``file`` says."""

    @abstractmethod
    def get(self, file: TreeFile, target: Path) -> None:
        """Make the new file ``target``, read only, of the content; every byte is checked.

        Raises StoreError when the content is missing or damaged.
        """

    def put_all(self, files: Iterable[TreeFile], places: Iterable[Path]) -> bool:
        """Keep the contents that are not there yet, several at once; whether there was any."""
        first = {file.digest: (file, place) for file, place in zip(files, places, strict=True)}
        lost = self.missing_of([file for file, _ in first.values()])
        if lost:
            with ThreadPoolExecutor(_THREADS) as pool:
                list(pool.map(lambda file: self.put(*first[file.digest]), lost))
        return bool(lost)

    def missing_of(self, files: Sequence[TreeFile]) -> Sequence[TreeFile]:
        """Those whose contents are not there, several looked for at once."""
        with ThreadPoolExecutor(_THREADS) as pool:
            return [file for file, has in zip(files, pool.map(self.has, files), strict=True) if not has]

    def get_all(self, files: Iterable[TreeFile], folder: Path) -> None:
        """Write files below a folder under their names, several at once; the names have been checked."""
        listed = list(files)
        with outside_errors(folder):
            for parent in {(folder / file.name).parent for file in listed}:
                parent.mkdir(parents=True, exist_ok=True)
        with ThreadPoolExecutor(_THREADS) as pool:
            list(pool.map(lambda file: self.get(file, folder / file.name), listed))


class LocalBlobs(Blobs):
    """``blobs/<digest>`` in a folder, which is made when it is first needed. Files are read only and appear whole."""

    shares_files = True

    def __init__(self, folder: Path) -> None:
        self.label = str(folder)
        self._blobs = folder / "blobs"
        self._incoming = folder / "incoming"

    def has(self, file: TreeFile) -> bool:
        with outside_errors(self._blobs):
            try:
                return (self._blobs / file.digest).stat().st_size == file.size
            except FileNotFoundError:
                return False

    def put(self, file: TreeFile, place: Path) -> None:
        with outside_errors(self._blobs):
            self._blobs.mkdir(parents=True, exist_ok=True)
            self._incoming.mkdir(exist_ok=True)
            copy = self._incoming / uuid.uuid4().hex
            try:
                with place.open("rb") as source, copy.open("xb") as target:
                    digest = copy_checked(source, target)
                    target.flush()
                    os.fsync(target.fileno())
                if digest != file.digest:
                    raise changed_while_read(place)
                copy.chmod(_READ_ONLY)
                copy.replace(self._blobs / file.digest)
            finally:
                copy.unlink(missing_ok=True)

    def missing_of(self, files: Sequence[TreeFile]) -> Sequence[TreeFile]:
        return [file for file in files if not self.has(file)]  # a look at a folder is quicker than a thread

    def put_all(self, files: Iterable[TreeFile], places: Iterable[Path]) -> bool:
        with outside_errors(self._blobs):
            _clear(self._incoming)
        is_any = super().put_all(files, places)
        if is_any:
            with outside_errors(self._blobs):
                _sync_folder(self._blobs)
        return is_any

    def get(self, file: TreeFile, target: Path) -> None:
        blob = self._blobs / file.digest
        with outside_errors(self._blobs):
            try:
                _link(blob, target)
            except FileNotFoundError:
                raise missing(str(blob), f"{_AGAIN[0].upper()}{_AGAIN[1:]}") from None
            with target.open("rb") as kept:
                if hashlib.file_digest(kept, "sha256").hexdigest() != file.digest:
                    raise damaged(str(blob), f"Delete that file and {_AGAIN}")


def copy_checked(source: IO[bytes], target: IO[bytes]) -> str:
    """Copy everything; returns the SHA-256, in hex, of what was copied."""
    whole = hashlib.sha256()
    while piece := source.read(_PIECE):
        whole.update(piece)
        target.write(piece)
    return whole.hexdigest()


def missing(place: str, hint: str = "Restore it from a backup.") -> StoreError:
    """What is said of a content that is not there."""
    return StoreError(f"{place} of the registry is missing.", hint=hint)


def damaged(place: str, hint: str = "Restore it from a backup.") -> StoreError:
    """What is said of a content that has other bytes than were put in."""
    return StoreError(f"{place} of the registry was changed.", hint=hint)


def changed_while_read(place: Path) -> Conflict:
    """What is said of a file that somebody wrote to while it was registered."""
    return Conflict(f"{place} changed while it was read. Nothing was registered.", hint="Try again when it is at rest.")


def _link(blob: Path, target: Path) -> None:
    try:
        os.link(blob, target)
    except (FileNotFoundError, FileExistsError):
        raise
    except OSError:  # not every file system has links, and none has them to another one
        shutil.copyfile(blob, target)
        target.chmod(_READ_ONLY)


def _clear(folder: Path) -> None:
    """Remove the half copies that killed processes left long ago; whoever still writes one is quicker than that."""
    if folder.is_dir():
        for copy in folder.iterdir():
            with suppress(FileNotFoundError):
                if copy.stat().st_mtime < time.time() - _LONG_AGO_S:
                    copy.unlink()


def _sync_folder(folder: Path) -> None:
    """Bring names to the disk, too, where folders can be opened and there is one."""
    if os.name == "posix" and folder.is_dir():
        opened = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(opened)
        finally:
            os.close(opened)


@contextmanager
def outside_errors(path: Path) -> Iterator[None]:
    """What the file system refuses is an error outside."""
    try:
        yield
    except OSError as error:
        where = error.filename or path
        raise OutsideError(
            f"{error.strerror or error}: {where}", hint="Nothing was registered or given out."
        ) from error
