"""Contents of files, each kept once under its digest, and whole trees made of them."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from flowyard.errors import StoreError
from flowyard.registry.tree import TreeFile, file_digest, tree_digest

__all__ = ["BlobStore"]

_PIECE = 1 << 20
_READ_ONLY = 0o444


class BlobStore:
    """``blobs/<digest>`` and ``trees/<digest>/<names>`` in a folder; the files of a tree are links to blobs.

    Both appear whole, by renaming. Several processes may add the same at once. Folders are made when first needed.
    """

    def __init__(self, folder: Path) -> None:
        self._blobs = folder / "blobs"
        self._trees = folder / "trees"

    def add(self, name: str, path: Path, work: Path) -> TreeFile:
        """Copy a file's content in, unless it is there; what is kept is what was read. ``work`` is for half a copy."""
        self._blobs.mkdir(parents=True, exist_ok=True)
        copy, whole, size = work / "content", hashlib.sha256(), 0
        with path.open("rb") as source, copy.open("wb") as target:
            while piece := source.read(_PIECE):
                whole.update(piece)
                target.write(piece)
                size += len(piece)
            target.flush()
            os.fsync(target.fileno())
        place = self._blobs / whole.hexdigest()
        if place.exists():
            copy.unlink()
        else:
            copy.chmod(_READ_ONLY)
            copy.replace(place)
        return TreeFile(name, size, whole.hexdigest())

    def add_tree(self, files: Iterable[TreeFile], work: Path) -> None:
        """Lay the files of a tree out under their names, unless they are."""
        listed = list(files)
        place = self.tree(tree_digest(listed))
        if place.exists():
            return
        whole = work / "tree"
        for file in listed:
            target = whole / file.name
            target.parent.mkdir(parents=True, exist_ok=True)
            _link(self._blobs / file.digest, target)
        self._trees.mkdir(parents=True, exist_ok=True)
        try:
            whole.rename(place)
        except OSError:
            if not place.exists():
                raise
            shutil.rmtree(whole)  # another process was quicker with the same

    def tree(self, digest: str) -> Path:
        """The folder of a tree, whether it is there or not."""
        return self._trees / digest

    def check_tree(self, files: Iterable[TreeFile], digest: str) -> None:
        """Raise StoreError when a file of the tree is missing or has other bytes than were put in."""
        for file in files:
            path = self.tree(digest) / file.name
            if not path.is_file():
                raise StoreError(f"{path} of the registry is missing.", hint="Restore it from a backup.")
            if path.stat().st_size != file.size or file_digest(path) != file.digest:
                raise StoreError(f"{path} of the registry was changed.", hint="Restore it from where the data came.")


def _link(blob: Path, target: Path) -> None:
    try:
        os.link(blob, target)
    except OSError:  # not every file system has links
        shutil.copyfile(blob, target)
        target.chmod(_READ_ONLY)
