"""Parts: finished lines as each worker of a cluster stores them before it tells of them.

What a worker told of is in a part, so a run whose driving process is killed loses nothing: whoever goes on with the
run takes the lines over first. Parts are plain lines of ``lines.jsonl``; each has a checksum, so a torn end shows.

    in a folder       <run>/parts/<worker>.jsonl             appended to and synced
    elsewhere (URL)   URL/<run>-<token>/<worker>-<n>.jsonl   one object for each batch, through fsspec

``<run>/parts/storage`` lists the URLs that parts of the run were written to.
"""

from __future__ import annotations

import contextlib
import os
import platform
import secrets
import shutil
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from flowyard.errors import ExtraMissing, FlowyardError, OutsideError, UserError
from flowyard.sessions.encoding import is_whole, read_line
from flowyard.sessions.session import FinishedLine

__all__ = [
    "PartWriter",
    "delete_parts",
    "finished_line",
    "make_place",
    "number_of",
    "open_part",
    "parts_folder",
    "read_part",
    "read_parts",
    "require_storage",
]

_STORAGE = "storage"
_BEGIN = b'{"line_number": '


def parts_folder(run: Path) -> Path:
    """The folder of a run's parts."""
    return run / "parts"


def make_place(run: Path, storage: str | None) -> str:
    """Make the place where this process's workers store their parts, and note it; returns the folder or URL.

    Raises OSError.
    """
    folder = parts_folder(run)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    place = str(folder) if storage is None else f"{storage}/{run.name}-{secrets.token_hex(4)}"
    with (folder / _STORAGE).open("a", encoding="utf-8") as file:
        file.write("" if storage is None else place + "\n")
        file.flush()
        os.fsync(file.fileno())
    local = _local_folder(place)
    if local is not None:
        local.mkdir(mode=0o700, parents=True, exist_ok=True)
    return place


def require_storage(url: str) -> str:
    """The URL without a slash at its end. Raises UserError when it cannot be used."""
    parts = urlsplit(url)
    if parts.username or parts.password:
        raise UserError(
            "--storage must not hold a key or a password: it is written into the run's folder.",
            hint="Give them to the storage's own client, for example in AWS_* variables on every node.",
        )
    if parts.scheme not in ("", "file"):
        _file_system(url)
    elif not Path(parts.path).is_absolute():
        raise UserError(f"--storage {url} must be a URL or an absolute path, the same on every node.")
    return url.rstrip("/")


class PartWriter(ABC):
    """Stores batches of lines; when ``write`` returns they are safe."""

    @abstractmethod
    def write(self, lines: Iterable[bytes]) -> None:
        """Store lines (without line ends). Raises OSError."""

    @abstractmethod
    def close(self) -> None:
        """No more lines will come."""


class _FilePart(PartWriter):
    def __init__(self, file: Path) -> None:
        if not file.parent.is_dir():  # whoever drives the run made it
            raise OutsideError(
                f"Node {platform.node()} does not see the folder {file.parent}.",
                hint="Name storage that all nodes reach: --storage URL",
            )
        self._file = os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab")

    def write(self, lines: Iterable[bytes]) -> None:
        self._file.write(_joined(lines))
        self._file.flush()
        os.fsync(self._file.fileno())

    def close(self) -> None:
        self._file.close()


class _ObjectParts(PartWriter):
    def __init__(self, url: str, worker: str) -> None:
        self._system, folder = _file_system(url)
        self._system.makedirs(folder, exist_ok=True)
        self._stem = f"{folder}/{worker}"
        self._count = 0

    def write(self, lines: Iterable[bytes]) -> None:
        self._count += 1
        self._system.pipe_file(f"{self._stem}-{self._count:08d}.jsonl", _joined(lines))

    def close(self) -> None:
        """Every object is whole already."""


def open_part(place: str, worker: str) -> PartWriter:
    """Where one worker stores its lines: ``place`` is a folder or a URL. Raises OSError, FlowyardError."""
    folder = _local_folder(place)
    return _ObjectParts(place, worker) if folder is None else _FilePart(folder / f"{worker}.jsonl")


def read_parts(run: Path) -> Iterator[bytes]:
    """Every whole line in the parts of a run, with its line end. Raises OutsideError when storage does not answer."""
    for place in _places(run):
        try:
            for data in _files(place):
                yield from (raw for raw in data if raw.endswith(b"\n") and is_whole(raw))
        except FlowyardError:
            raise
        except Exception as error:  # storage of any kind may say anything
            raise OutsideError(f"The parts of the run in {place} cannot be read: {error}.") from error


def read_part(place: str, worker: str) -> Iterator[bytes]:
    """The whole lines that one worker stored. Raises OSError, FlowyardError."""
    for data in _files(place, worker):
        yield from (raw for raw in data if raw.endswith(b"\n") and is_whole(raw))


def number_of(raw: bytes) -> int:
    """The line number of a stored line, without reading the rest."""
    return int(raw[len(_BEGIN) : raw.index(b",")])


def finished_line(raw: bytes) -> FinishedLine:
    """A stored line as its worker told it. Raises StoreError."""
    line = read_line(raw, "A line in a part")
    return FinishedLine(line.line_number, line.status, raw.rstrip(b"\n"), line.duration_s, line.usage, line.error)


def delete_parts(run: Path) -> None:
    """Delete the parts of a run, which must be in its ``lines.jsonl``; those that cannot be deleted do no harm."""
    for place in _places(run):
        with contextlib.suppress(Exception):  # storage of any kind may say anything
            folder = _local_folder(place)
            if folder is None:
                system, path = _file_system(place)
                system.rm(path, recursive=True)
            else:
                shutil.rmtree(folder)
    with contextlib.suppress(OSError):
        shutil.rmtree(parts_folder(run))


def _places(run: Path) -> list[str]:
    """The folders and URLs that hold parts of a run."""
    folder = parts_folder(run)
    try:
        noted = (folder / _STORAGE).read_text("utf-8").splitlines()
    except OSError:
        return []
    return [str(folder), *dict.fromkeys(line for line in noted if line)]


def _files(place: str, worker: str = "") -> Iterator[Iterable[bytes]]:
    """The lines of each part in a place."""
    folder = _local_folder(place)
    if folder is not None:
        for file in sorted(folder.glob(f"{worker}*.jsonl")) if folder.is_dir() else ():
            with file.open("rb") as opened:
                yield opened
        return
    system, path = _file_system(place)
    for name in sorted(system.glob(f"{path}/{worker}*.jsonl")):
        yield system.cat_file(name).splitlines(keepends=True)


def _joined(lines: Iterable[bytes]) -> bytes:
    return b"".join(line + b"\n" for line in lines)


def _local_folder(place: str) -> Path | None:
    """The folder on this machine that a place names; None for storage that only fsspec knows."""
    parts = urlsplit(place)
    return Path(parts.path if parts.scheme else place) if parts.scheme in ("", "file") else None


def _file_system(url: str) -> tuple[Any, str]:
    """The fsspec file system of a URL, and the path in it. Raises UserError when it is not known."""
    try:
        import fsspec.core  # noqa: PLC0415 - heavy, and only runs that store parts at a URL need it
    except ImportError:
        raise ExtraMissing("Storage at a URL takes fsspec.", hint="pip install 'flowyard[ray]'") from None
    try:
        system, path = fsspec.core.url_to_fs(url)
    except (ImportError, ValueError) as error:
        raise UserError(f"Storage at {url} cannot be used: {error}.") from None
    return system, path.rstrip("/")
