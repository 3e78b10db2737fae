"""Contents of files in storage that fsspec reaches: ``s3://``, ``gs://``, ``abfs://``, ``sftp://``, ``memory://``, …

URL/blobs/<first two letters>/<digest>      whole, by its size
URL/incoming/…                              half of one, where the storage shows what is half written
"""

from __future__ import annotations

import hashlib
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

from flowyard.errors import ExtraMissing, FlowyardError, OutsideError, UserError
from flowyard.registry.blobs import Blobs, changed_while_read, copy_checked, damaged, missing, outside_errors
from flowyard.registry.tree import TreeFile

__all__ = ["FsspecBlobs", "require_plain_url"]

_KEPT_IN_MEMORY = 8 << 20
_PIECE = 1 << 20
_READ_ONLY = 0o444
_OBJECT_STORES = frozenset({"s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "adl", "oss", "r2", "oci"})
"""Where an object appears when all of it has arrived; elsewhere half of a file is seen under its name."""


class FsspecBlobs(Blobs):
    """Blobs below a URL. Raises UserError for a URL that cannot be used, ExtraMissing for one that needs a package."""

    def __init__(self, url: str) -> None:
        self.label = require_plain_url(url)
        self._is_object_store = urlsplit(url).scheme in _OBJECT_STORES
        self._system, self._root = _file_system(url)

    def has(self, file: TreeFile) -> bool:
        with self._storage_errors():
            try:
                return bool(self._system.info(self._place(file))["size"] == file.size)
            except FileNotFoundError:
                return False

    def put(self, file: TreeFile, place: Path) -> None:
        """A private copy is made first, in memory or in a temporary file: what was checked is what is sent."""
        with outside_errors(place), tempfile.SpooledTemporaryFile(_KEPT_IN_MEMORY) as copy:
            with place.open("rb") as source:
                digest = copy_checked(source, copy)
            if digest != file.digest:
                raise changed_while_read(place)
            copy.seek(0)
            with self._storage_errors():
                self._send(copy, self._place(file))

    def get(self, file: TreeFile, target: Path) -> None:
        place, whole = self._place(file), hashlib.sha256()
        with outside_errors(target), target.open("xb") as kept, self._storage_errors():
            try:
                with self._system.open(place, "rb") as source:
                    while piece := source.read(_PIECE):
                        whole.update(piece)
                        kept.write(piece)
            except FileNotFoundError:
                raise missing(f"{self.label}: blob {file.digest}") from None
        if whole.hexdigest() != file.digest:
            raise damaged(f"{self.label}: blob {file.digest}")
        target.chmod(_READ_ONLY)

    def _place(self, file: TreeFile) -> str:
        return f"{self._root}/blobs/{file.digest[:2]}/{file.digest}"

    def _send(self, copy: IO[bytes], place: str) -> None:
        target = place if self._is_object_store else f"{self._root}/incoming/{uuid.uuid4().hex}"
        for path in {target, place}:
            self._system.makedirs(path.rpartition("/")[0], exist_ok=True)
        try:
            with self._system.open(target, "wb") as sent:
                while piece := copy.read(_PIECE):
                    sent.write(piece)
            if target != place:
                self._system.mv(target, place)
        except BaseException:
            if target != place:
                with suppress(Exception):  # what went wrong first is what is told
                    self._system.rm_file(target)
            raise

    @contextmanager
    def _storage_errors(self) -> Iterator[None]:
        """Whatever the storage says, in its own classes, is an error outside; its text may hold a signed URL."""
        try:
            yield
        except FlowyardError:
            raise
        except Exception as error:
            said = error.strerror if isinstance(error, OSError) and error.strerror else type(error).__name__
            raise OutsideError(
                f"The registry's files at {self.label} cannot be reached: {said}.",
                hint="Check FLOWYARD_REGISTRY_FILES or the setting registry.files, and the storage's own credentials.",
            ) from None


def require_plain_url(url: str) -> str:
    """The URL, which holds no secret. Raises UserError, which does not repeat it, for one that could."""
    try:
        parts = urlsplit(url)
        holds_secret = parts.password is not None or bool(parts.query)
    except ValueError:
        raise UserError("The place of the registry's files is no URL.", hint="For example s3://BUCKET/FOLDER") from None
    if holds_secret:
        raise UserError(
            "The URL of the registry's files may hold a secret.",
            hint="Leave out password and query; fsspec takes credentials from the environment and its own files.",
        )
    return url


def _file_system(url: str) -> tuple[Any, str]:
    import fsspec.core  # noqa: PLC0415 - only files in storage need it

    try:
        system, path = fsspec.core.url_to_fs(url)
    except ImportError as error:
        raise ExtraMissing(f"Files at {url} take another package: {error}.", hint="pip install that package.") from None
    except ValueError as error:
        raise UserError(f"Files cannot be kept at {url}: {error}.") from None
    return system, str(path).rstrip("/")
