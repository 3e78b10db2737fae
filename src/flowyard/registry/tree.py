"""A file or a folder as a sorted list of names and contents, and the digest of that list.

The digest depends on names and bytes and on nothing else: not on the order in which a file system lists a folder, not
on times, modes or the platform.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from flowyard.errors import NotFound, UserError

__all__ = ["TreeFile", "file_digest", "is_plain_name", "iter_files", "tree_digest"]

LEFT_OUT = frozenset({".git", ".flowyard", "__pycache__", ".DS_Store"})
"""Never part of a dataset, wherever they lie in its folder."""

_HEAD = b"flowyard tree 1\n"
_PIECE = 1 << 20
_PLAIN_NAME = re.compile(r"[^/\\\x00-\x1f\x7f:*?\"<>|]+")


@dataclass(frozen=True, slots=True)
class TreeFile:
    """A file of a tree: its path with ``/``, its size in bytes and the SHA-256 of its content in hex."""

    name: str
    size: int
    digest: str


def tree_digest(files: Iterable[TreeFile]) -> str:
    """The SHA-256 of a tree, in hex.

    Over each file, sorted by the UTF-8 bytes of its name: the length of the name, the name, the size, the digest of the
    content; lengths and sizes as 8 bytes, so that no two different trees read the same.
    """
    whole = hashlib.sha256(_HEAD)
    for file in sorted(files, key=lambda each: each.name.encode()):
        name = file.name.encode()
        whole.update(len(name).to_bytes(8, "big") + name + file.size.to_bytes(8, "big") + bytes.fromhex(file.digest))
    return whole.hexdigest()


def file_digest(path: Path) -> str:
    """The SHA-256 of a file's content in hex, read in pieces."""
    whole = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            whole.update(piece)
    return whole.hexdigest()


def iter_files(path: Path) -> Iterator[tuple[str, Path]]:
    """(name in the tree, path) of a file, or of all files below a folder; names are sorted within a folder.

    Raises NotFound when nothing is there, UserError for links, devices and names that not every platform can have: what
    they stand for would differ from place to place.
    """
    if not path.exists():
        raise NotFound(f"There is no file or folder {path}.")
    if path.is_dir():
        yield from _below(path, "")
    else:
        _require_plain(path, path.name)
        yield path.name, path


def _below(folder: Path, prefix: str) -> Iterator[tuple[str, Path]]:
    with os.scandir(folder) as found:
        entries = sorted(found, key=lambda entry: entry.name)
    for entry in entries:
        if entry.name in LEFT_OUT:
            continue
        path = folder / entry.name
        if entry.is_dir(follow_symlinks=False):
            _require_name(path, entry.name)
            yield from _below(path, f"{prefix}{entry.name}/")
        else:
            _require_plain(path, entry.name)
            yield prefix + entry.name, path


def is_plain_name(name: str) -> bool:
    """Whether each part of a name in a tree is one that every platform can have, and leads nowhere else."""
    return all(_PLAIN_NAME.fullmatch(part) and part not in (".", "..") and _is_text(part) for part in name.split("/"))


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _require_name(path: Path, name: str) -> None:
    if not is_plain_name(name):
        raise UserError(f"The name of {str(path)!r} cannot be kept on every platform.", hint="Rename it first.")


def _require_plain(path: Path, name: str) -> None:
    _require_name(path, name)
    if not stat.S_ISREG(path.lstat().st_mode):
        raise UserError(f"{path} is not a plain file.", hint="Put a copy in place of a link, and leave out devices.")
