"""Where the files of an MLflow run are: behind the server, or in a storage that both of us reach."""

from __future__ import annotations

import hashlib
import re
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any
from urllib.parse import unquote, urlsplit

from flowyard.errors import Conflict, ExtraMissing, FlowyardError, OutsideError, StoreError
from flowyard.registry.stores.mlflow_rest import MISSING, MlflowRest, Refused, Sent
from flowyard.registry.tree import TreeFile

__all__ = ["Artifacts", "artifact_name", "check_file", "open_artifacts"]

_PLAIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*(/[A-Za-z0-9_][A-Za-z0-9._-]*)*")
_LONGEST_NAME = 180
_STORAGES = frozenset({"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "wasb", "wasbs"})
_WASB = re.compile(r"wasbs?://([^@/]+)@([^./]+)\.blob\.([^/]+)/(.*)")
_PIECE = 1 << 20


class Artifacts(ABC):
    """The artifacts of one run. Names are relative, with ``/``. Raises OutsideError when they cannot be reached."""

    @abstractmethod
    def put(self, name: str, sent: Sent) -> None:
        """Store a file, in place of one that was left by an earlier try."""

    @abstractmethod
    def get(self, name: str, target: Path, most: int) -> None:
        """Write a file to ``target``, at most one byte more than ``most``. Raises StoreError when it is not there."""

    def put_file(self, name: str, path: Path, file: TreeFile) -> None:
        """Store a file of a draft. Raises Conflict when its content is no longer the draft's."""
        opened: list[_Read] = []

        def read() -> Any:
            opened.append(_Read(path, file.size))
            return opened[-1]

        try:
            self.put(name, Sent(read, file.size))
        except FileNotFoundError:
            raise _changed(path) from None
        opened[-1].require(file.digest)


class ProxiedArtifacts(Artifacts):
    """Behind the server, which passes them on (``mlflow-artifacts:``)."""

    def __init__(self, rest: MlflowRest, root: str) -> None:
        self._rest = rest
        self._root = root.strip("/")

    def put(self, name: str, sent: Sent) -> None:
        self._rest.upload(f"{self._root}/{name}", sent)

    def get(self, name: str, target: Path, most: int) -> None:
        try:
            self._rest.download(f"{self._root}/{name}", target, most)
        except Refused as error:
            if error.code == MISSING:
                raise _gone(name, self._rest.label) from None
            raise


class StorageArtifacts(Artifacts):
    """In a storage that fsspec knows, with the credentials that its package finds in the environment."""

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")
        self._label = urlsplit(url).scheme or "the folder"

    def put(self, name: str, sent: Sent) -> None:
        with self._outside() as fsspec, sent.open() as source:
            files, path = fsspec.core.url_to_fs(f"{self._url}/{name}")
            files.makedirs(path.rpartition("/")[0], exist_ok=True)
            with files.open(path, "wb") as target:
                while piece := source.read(_PIECE):
                    target.write(piece)

    def get(self, name: str, target: Path, most: int) -> None:
        with self._outside(name) as fsspec:
            files, path = fsspec.core.url_to_fs(f"{self._url}/{name}")
            left = most + 1
            with files.open(path, "rb") as source, target.open("wb") as file:
                while left > 0 and (piece := source.read(min(left, _PIECE))):
                    file.write(piece)
                    left -= len(piece)

    @contextmanager
    def _outside(self, name: str | None = None) -> Iterator[Any]:
        """fsspec, with what it raises as ours: packages of storages raise many kinds."""
        import fsspec  # noqa: PLC0415 - heavy, and few artifacts are reached so

        try:
            yield fsspec
        except FlowyardError:
            raise
        except ImportError as error:
            raise ExtraMissing(
                f"{self._label}:// takes another package: {error}.", hint="pip install that package."
            ) from None
        except FileNotFoundError:
            if name is None:
                raise
            raise _gone(name, self._label) from None
        except Exception as error:
            hint = "Its credentials come from the environment, as its own tools take them."
            raise OutsideError(f"The storage {self._label} failed: {type(error).__name__}.", hint=hint) from None


class _Read:
    """The bytes of a file that were announced, and the digest of what was read of it."""

    def __init__(self, path: Path, size: int) -> None:
        self._file: IO[bytes] = path.open("rb")
        self._path = path
        self._left = size
        self._whole = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        """Raises Conflict when the file is shorter, since a server would wait for the rest."""
        if self._left == 0:
            return b""
        piece = self._file.read(self._left if size < 0 else min(size, self._left))
        if not piece:
            raise _changed(self._path)
        self._left -= len(piece)
        self._whole.update(piece)
        return piece

    def require(self, digest: str) -> None:
        """Raise Conflict when what was read is not what was drafted."""
        if self._whole.hexdigest() != digest:
            raise _changed(self._path)

    def close(self) -> None:
        """Close the file; a byte behind the announced ones makes it another content."""
        if not self._file.closed:
            self._whole.update(self._file.read(1))
            self._file.close()

    def __enter__(self) -> _Read:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def open_artifacts(rest: MlflowRest, uri: str) -> Artifacts:
    """The artifacts of the run that says they are at ``uri``. Raises OutsideError for a place not to be reached so."""
    parts = urlsplit(uri)
    if parts.scheme == "mlflow-artifacts" and parts.netloc in ("", rest.host):
        return ProxiedArtifacts(rest, unquote(parts.path))
    if parts.scheme in _STORAGES:
        return StorageArtifacts(_WASB.sub(r"abfs://\1@\2.dfs.\3/\4", uri))
    # A local path is the server's to name and ours to write: a server could make us write anywhere.
    raise OutsideError(
        f"{rest.label} keeps artifacts where flowyard cannot put any ({parts.scheme or 'a local folder'}).",
        hint="Start the server with --serve-artifacts and make a new experiment, or set FLOWYARD_REGISTRY_FILES to a\n"
        "storage for the files.",
    )


def artifact_name(file: TreeFile) -> str:
    """Where a file of a version is among its artifacts: under its name, or its digest if MLflow may refuse the name."""
    plain = _PLAIN.fullmatch(file.name) and len(file.name) <= _LONGEST_NAME
    return f"files/{file.name}" if plain else f"blobs/{file.digest}"


def check_file(path: Path, file: TreeFile) -> None:
    """Raise StoreError when what was fetched is not the file."""
    with path.open("rb") as content:
        digest = hashlib.file_digest(content, "sha256").hexdigest()
    if path.stat().st_size != file.size or digest != file.digest:
        raise StoreError(f"{file.name!r} was changed in MLflow.", hint="Restore its artifact from a backup.")


def _changed(path: Path) -> Conflict:
    return Conflict(f"{path} changed while it was registered.", hint="Register it again when nothing changes it.")


def _gone(name: str, label: str) -> StoreError:
    return StoreError(f"The artifact {name!r} is missing in {label}.", hint="Restore it from a backup.")
