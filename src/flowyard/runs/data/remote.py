"""Data at URLs: web addresses are copied here first, all other places are read through fsspec as they are.

What cannot be had from there is an OutsideError, which ends the run resumably and is no failed line.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

import fsspec

from flowyard.errors import ExtraMissing, OutsideError, UserError
from flowyard.runs.data.download import download
from flowyard.runs.data.files import DataFile, local_file
from flowyard.runs.data.places import shown_source, visible

__all__ = ["find_remote"]

_BUFFER = 1024 * 1024
_TOLD = (
    *("size", "ETag", "etag", "md5Hash", "checksum", "generation"),
    *("LastModified", "last_modified", "mtime", "created"),
)
"""What places say of a file that changes when its content does."""
_MAGIC = frozenset("*?[")


def find_remote(url: str) -> tuple[list[DataFile], bool]:
    """The files at a URL, and whether they are many: a folder or a pattern. Raises UserError and OutsideError."""
    scheme = url.partition("://")[0].lower()
    if scheme in ("http", "https"):
        return [_web_file(url)], False
    shown = shown_source(url)
    with _outside(shown):
        files, path = _file_system(url, scheme)
        if _MAGIC & set(path) and not files.exists(path):
            base = path[: min(path.index(sign) for sign in _MAGIC & set(path))].rpartition("/")[0]
            found = [name for name in files.glob(path) if files.isfile(name)]
            return _many(files, base, found, shown), True
        if files.isdir(path):
            return _many(files, path, files.find(path), shown), True
        if not files.isfile(path):
            raise UserError(f"There is no data at {shown}.")
        return [_file(files, path, PurePosixPath(path).name)], False


def _web_file(url: str) -> DataFile:
    copy = download(url)
    name = PurePosixPath(unquote(urlsplit(url).path)).name or urlsplit(url).hostname or "data"
    return local_file(copy.path, name, lambda: repr(copy.newer), copy)


def _file_system(url: str, scheme: str) -> tuple[Any, str]:
    try:
        files, path = fsspec.core.url_to_fs(url)
    except ImportError as error:
        raise ExtraMissing(f"Reading {scheme}:// takes another package: {error}.", hint="pip install it.") from None
    except ValueError as error:
        raise UserError(f"{shown_source(url)} cannot be read: {error}.") from None
    return files, path.rstrip("/")


def _many(files: Any, base: str, found: list[str], shown: str) -> list[DataFile]:
    start = len(base.strip("/")) + 1 if base.strip("/") else 0
    names = {name.strip("/")[start:]: name for name in found}
    if not names:
        raise UserError(f"There is no data at {shown}.")
    return [_file(files, names[name], name) for name in visible(names)]


def _file(files: Any, path: str, name: str) -> DataFile:
    return DataFile(name, partial(_open, files, path, name), identity=partial(_identity, files, path, name))


def _open(files: Any, path: str, name: str) -> io.BufferedReader:
    with _outside(name):
        return io.BufferedReader(_Remote(files.open(path, "rb"), name), _BUFFER)


def _identity(files: Any, path: str, name: str) -> str:
    with _outside(name):
        info = files.info(path)
    told = (
        "size",
        "ETag",
        "etag",
        "md5Hash",
        "checksum",
        "generation",
        "LastModified",
        "last_modified",
        "mtime",
        "created",
    )
    return repr([(key, str(info[key])) for key in told if key in info])


class _Remote(io.RawIOBase):
    """A file of fsspec as Python's own buffers and pyarrow take it; every failure of the place is an OutsideError."""

    def __init__(self, file: Any, name: str) -> None:
        self._file = file
        self._name = name

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._asked(lambda: self._file.read(len(buffer)))
        buffer[: len(data)] = data
        return len(data)

    def seek(self, offset: int, whence: int = 0) -> int:
        return int(self._asked(lambda: self._file.seek(offset, whence)))

    def tell(self) -> int:
        return int(self._asked(self._file.tell))

    def close(self) -> None:
        if not self.closed:
            self._file.close()
        super().close()

    def _asked(self, ask: Callable[[], Any]) -> Any:
        with _outside(self._name):
            return ask()


@contextmanager
def _outside(shown: str) -> Iterator[None]:
    try:
        yield
    except (OutsideError, UserError):
        raise
    except FileNotFoundError:
        raise UserError(f"There is no data at {shown}.") from None
    except Exception as error:  # each kind of place has exceptions of its own
        raise OutsideError(f"{shown} cannot be read: {type(error).__name__} {error}.") from error
