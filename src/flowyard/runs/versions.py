"""What tells one version of data or of a flow from another, so that a run goes on only over what it began with.

A digest says ``sha256:…`` when all of the content is in it. Of larger files only size, time of change, beginning and
end are, which ``sampled:…`` says: a change in the middle that keeps the size is noticed by its time.
"""

from __future__ import annotations

import fnmatch
import hashlib
import inspect
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from flowyard._util.left_out import LEFT_OUT
from flowyard.errors import UserError
from flowyard.flows.model import FlexFlow, Flow, PromptyFlow
from flowyard.runs.data.files import DataFile, local_file
from flowyard.runs.dataset import DataSource, open_dataset

__all__ = ["data_digest", "flow_digest"]

_WHOLE = 64 * 1024 * 1024
_ENDS = 1024 * 1024
_PIECE = 1024 * 1024
_LEFT_OUT = (*LEFT_OUT, "*.log", "*.tmp")
"""What may change in a flow's folder without the flow being another one: caches, results, environments, logs."""


def data_digest(source: DataSource) -> str:
    """The version of the data that ``open_dataset`` finds at a source: its files' names and contents, in order.

    Files up to 64 MiB are read whole. Of larger remote ones, their place says what tells versions apart (an ETag, the
    time of change). Raises UserError and OutsideError as ``open_dataset`` does.
    """
    digest = _Digest()
    for file, _ in open_dataset(source).files:
        digest.add(file.name.encode())
        digest.add_file(file)
    return digest.text


def flow_digest(flow: Flow, parameters: Mapping[str, Any] | None = None) -> str:
    """The version of a flow: its definition and the files of its folder, as far as they are part of it.

    Includes from elsewhere count, since they are in the folder that the flow runs in; caches, version control, results
    of runs, virtual environments, logs and ``.env`` files do not. Of a prompty the file itself counts, because its
    folder is often a whole project, and of a flow made from an object in Python the file that defines the object.
    Variants that are chosen are no part of the version, ``parameters`` are. Raises UserError for a file that cannot be
    read.
    """
    digest = _Digest()
    for name, path in sorted(_flow_files(flow)):
        digest.add(os.fsencode(name))
        if path.is_symlink() and not path.is_file():
            digest.add(os.fsencode(path.readlink()))
        else:
            digest.add_file(local_file(path, name))
    if parameters:
        digest.add(json.dumps(parameters, sort_keys=True, default=str).encode())
    return digest.text


def _flow_files(flow: Flow) -> Iterator[tuple[str, Path]]:
    """Each file by the name that it has for the flow."""
    if isinstance(flow, FlexFlow) and flow.target is not None:
        source = _source_file(flow.target)
        if source is not None:
            yield source.name, source
        return
    if flow.file.is_file():
        yield "", flow.file
    if not isinstance(flow, PromptyFlow):
        yield from _files_below(flow.folder, "")


def _files_below(folder: Path, start: str) -> Iterator[tuple[str, Path]]:
    with os.scandir(folder) as entries:
        found = list(entries)
    for entry in found:
        if any(fnmatch.fnmatch(entry.name, pattern) for pattern in _LEFT_OUT):
            continue
        if entry.is_dir(follow_symlinks=False):
            yield from _files_below(Path(entry.path), f"{start}{entry.name}/")
        elif entry.is_file() or entry.is_symlink():  # sockets and pipes are nobody's code
            yield f"{start}{entry.name}", Path(entry.path)


def _source_file(target: object) -> Path | None:
    """The file that defines a function, a class or the class of an object; None when it was typed in."""
    defined = target if inspect.isroutine(target) or inspect.isclass(target) else type(target)
    try:
        path = Path(inspect.getfile(inspect.unwrap(defined)))
    except (TypeError, ValueError, OSError):
        return None
    return path if path.is_file() else None


class _Digest:
    """Adds up parts; where one part ends and the next begins is in the sum, too."""

    def __init__(self) -> None:
        self._sum = hashlib.sha256()
        self._sampled = False

    @property
    def text(self) -> str:
        return f"{'sampled' if self._sampled else 'sha256'}:{self._sum.hexdigest()}"

    def add(self, part: bytes) -> None:
        self._sum.update(len(part).to_bytes(8, "big") + part)

    def add_file(self, file: DataFile) -> None:
        try:
            self._add_file(file)
        except OSError as error:
            raise UserError(f"{file.name} cannot be read: {error.strerror}.") from None

    def _add_file(self, file: DataFile) -> None:
        with file.open_raw() as stream:
            size = stream.seek(0, os.SEEK_END)
            stream.seek(0)
            self.add(size.to_bytes(8, "big"))
            if size <= _WHOLE:
                inner = hashlib.sha256()
                while piece := stream.read(_PIECE):
                    inner.update(piece)
                self.add(inner.digest())
                return
            self._sampled = True
            self.add(stream.read(_ENDS))
            stream.seek(size - _ENDS)
            self.add(stream.read(_ENDS))
        if file.identity is not None:
            self.add(file.identity().encode())
        elif file.path is not None:
            self.add(str(file.path.stat().st_mtime_ns).encode())
