"""Named datasets. A version is a file that is written once, under a lock, after everything it speaks of is in place."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from flowyard._util.files import dump_json, write_atomic
from flowyard._util.lock import locked
from flowyard._util.suggest import did_you_mean
from flowyard.errors import NotFound, OutsideError, StoreError, UserError
from flowyard.registry.blobs import BlobStore
from flowyard.registry.tree import TreeFile, is_plain_name, iter_files, tree_digest

__all__ = ["DatasetRegistry", "DatasetVersion", "Registered"]

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_VERSION_FILE = re.compile(r"([1-9][0-9]{0,8})\.json")
_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class DatasetVersion:
    """One version of a dataset. ``is_folder`` says whether a folder was registered or a single file.

    ``digest`` is :func:`flowyard.registry.tree.tree_digest` of ``files``; ``created_at`` is ISO 8601 in UTC.
    """

    name: str
    version: int
    digest: str
    files: tuple[TreeFile, ...]
    is_folder: bool
    description: str
    created_at: str

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.files)

    @property
    def label(self) -> str:
        """``name:version``, as an experiment names it."""
        return f"{self.name}:{self.version}"


@dataclass(frozen=True, slots=True)
class Registered:
    """The version that has the content, and whether it was made for it."""

    version: DatasetVersion
    is_new: bool


class DatasetRegistry:
    """The datasets in ``<home>/registry``. Any number of processes may use it at once.

    A process that is killed leaves no half version: what it copied is used or cleared away by the next one.
    """

    def __init__(self, home: Path) -> None:
        self._folder = home / "registry"
        self._datasets = self._folder / "datasets"
        self._blobs = BlobStore(self._folder)

    def register(self, path: Path, name: str, description: str = "") -> Registered:
        """Keep a file or folder under a name; a new version only when no earlier one has the same names and bytes.

        Versions count up from 1 without gaps. Raises UserError for a bad name, an empty folder and what is no plain
        file, NotFound when nothing is there, OutsideError when it cannot be read or the registry not written.
        """
        _require_name(name)
        with _outside_errors(path):
            found = list(iter_files(path))
        if not found:
            raise UserError(f"There is no file in {path}.")
        with _outside_errors(path), self._alone(name) as work:
            files = tuple(self._blobs.add(inside, each, work) for inside, each in found)
            digest, is_folder = tree_digest(files), path.is_dir()
            earlier = self.versions(name)
            for each in earlier:
                if (each.digest, each.is_folder) == (digest, is_folder):
                    return Registered(each, is_new=False)
            self._blobs.add_tree(files, work)
            number = earlier[-1].version + 1 if earlier else 1
            now = datetime.now(UTC).isoformat(timespec="seconds")
            made = DatasetVersion(name, number, digest, files, is_folder, description, now)
            write_atomic(self._versions(name) / f"{number}.json", dump_json(asdict(made), indent=2))
            return Registered(made, is_new=True)

    @contextmanager
    def _alone(self, name: str) -> Iterator[Path]:
        """The only process that registers under this name; gives an empty folder to work in."""
        self._versions(name).mkdir(parents=True, exist_ok=True)
        with locked(self._datasets / name / "lock"):
            work = self._datasets / name / "incoming"
            shutil.rmtree(work, ignore_errors=True)  # what a killed process left
            work.mkdir()
            try:
                yield work
            finally:
                shutil.rmtree(work, ignore_errors=True)

    def names(self) -> list[str]:
        """Datasets that have a version, sorted."""
        if not self._datasets.is_dir():
            return []
        return sorted(folder.name for folder in self._datasets.iterdir() if self._numbers(folder.name))

    def versions(self, name: str) -> list[DatasetVersion]:
        """All versions of a dataset, oldest first; empty when there is none of that name. Raises StoreError."""
        _require_name(name)
        return [self._read(name, number) for number in self._numbers(name)]

    def find(self, label: str) -> DatasetVersion:
        """The version that ``name:version`` names (``registry:`` may stand before); the newest for a name alone.

        Raises NotFound with what there is, UserError for what is no such label.
        """
        name, colon, number = label.removeprefix("registry:").partition(":")
        versions = self.versions(name)
        if not versions:
            known = self.names()
            hint = did_you_mean(name, known) or "Register it: flowyard dataset register PATH --name " + name
            raise NotFound(f"No dataset {name!r} is registered.", hint=hint)
        if not colon:
            return versions[-1]
        for each in versions:
            if str(each.version) == number:
                return each
        raise NotFound(f"Dataset {name!r} has no version {number!r}.", hint=f"Versions: 1 to {versions[-1].version}.")

    def resolve(self, label: str) -> Path:
        """Where the data of ``name:version`` are: the file or folder, read only, with the names it was registered with.

        Every byte is checked against the digest first. Raises as :meth:`find`, and StoreError for changed data.
        """
        found = self.find(label)
        with _outside_errors(self._folder):
            self._blobs.check_tree(found.files, found.digest)
        return self.path(found)

    def path(self, version: DatasetVersion) -> Path:
        """The place of a version's data, unchecked."""
        folder = self._blobs.tree(version.digest)
        return folder if version.is_folder else folder / version.files[0].name

    def _versions(self, name: str) -> Path:
        return self._datasets / name / "versions"

    def _numbers(self, name: str) -> list[int]:
        folder = self._versions(name)
        if not folder.is_dir():
            return []
        return sorted(int(found[1]) for each in folder.iterdir() if (found := _VERSION_FILE.fullmatch(each.name)))

    def _read(self, name: str, number: int) -> DatasetVersion:
        file = self._versions(name) / f"{number}.json"
        try:
            version = _parse_version(json.loads(file.read_text("utf-8")))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise StoreError(f"{file} cannot be read: {error}", hint="Restore it from a backup.") from error
        if (version.name, version.version) != (name, number) or version.digest != tree_digest(version.files):
            raise StoreError(f"{file} was changed: it does not fit its name or its digest.", hint="Restore it.")
        return version


def _parse_version(value: dict[str, Any]) -> DatasetVersion:
    """A version as it was written. Raises ValueError, KeyError or TypeError for anything else."""
    files = tuple(TreeFile(str(file["name"]), int(file["size"]), str(file["digest"])) for file in value["files"])
    for file in files:
        if not is_plain_name(file.name) or not _DIGEST.fullmatch(file.digest):
            raise ValueError(f"{file.name!r} is no file of a dataset")
    is_folder = bool(value["is_folder"])
    if not files or not (is_folder or len(files) == 1):
        raise ValueError("a dataset is a folder with files or one file")
    return DatasetVersion(
        str(value["name"]),
        int(value["version"]),
        str(value["digest"]),
        files,
        is_folder,
        str(value["description"]),
        str(value["created_at"]),
    )


def _require_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        hint = "Use letters, digits, dots, dashes and underscores, a letter or digit first, at most 100."
        raise UserError(f"{name!r} is no name for a dataset.", hint=hint)


@contextmanager
def _outside_errors(path: Path) -> Iterator[None]:
    """What the file system refuses is an error outside."""
    try:
        yield
    except OSError as error:
        where = error.filename or path
        raise OutsideError(f"{error.strerror or error}: {where}", hint="Nothing was registered.") from error
