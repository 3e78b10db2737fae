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
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from threading import Lock

from flowyard._util.suggest import missing_file_hint
from flowyard.errors import NotFound, UserError
from flowyard.registry.ignore import Ignored, is_never_kept, read_ignored
from flowyard.registry.seen import SeenFiles

__all__ = ["TreeFile", "file_digest", "hash_files", "is_plain_name", "iter_files", "tree_digest"]

_HEAD = b"flowyard tree 1\n"
_PIECE = 1 << 20
_MOST_THREADS = 8
_PLAIN_NAME = re.compile(r"[^/\\\x00-\x1f\x7f:*?\"<>|]+")
_OF_DEVICES = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.IGNORECASE)


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
    for name, file in sorted((file.name.encode(), file) for file in files):
        whole.update(len(name).to_bytes(8, "big") + name + file.size.to_bytes(8, "big") + bytes.fromhex(file.digest))
    return whole.hexdigest()


def file_digest(path: Path) -> str:
    """The SHA-256 of a file's content in hex, read in pieces. Raises OSError."""
    return _read(path, memoryview(bytearray(_PIECE)))[1]


def hash_files(found: Iterable[tuple[str, Path]], seen: SeenFiles | None = None) -> tuple[TreeFile, ...]:
    """Files, given as (name in the tree, path), with their sizes and digests, in the same order. Raises OSError.

    They are read once, on as many threads as there are cores, while ``found`` is still going on; nothing is written.
    Those that are as they were ``seen`` are not read.
    """
    read: dict[int, TreeFile] = {}
    numbered, turn = enumerate(found), Lock()

    def work() -> None:
        buffer = memoryview(bytearray(_PIECE))
        while True:
            with turn:
                entry = next(numbered, None)
            if entry is None:
                return
            number, (name, path) = entry
            read[number] = _hashed(name, path, buffer) if seen is None else _looked_up(name, path, buffer, seen)

    threads = min(_MOST_THREADS, os.cpu_count() or 1)
    with ThreadPoolExecutor(threads) as pool:
        for each in [pool.submit(work) for _ in range(threads)]:
            each.result()
    return tuple(read[number] for number in sorted(read))


def _hashed(name: str, path: Path, buffer: memoryview) -> TreeFile:
    return TreeFile(name, *_read(path, buffer))


def _looked_up(name: str, path: Path, buffer: memoryview, seen: SeenFiles) -> TreeFile:
    """The file without reading it, when that has been done."""
    before = path.stat()
    known = seen.digest(name, before)
    if known is not None:
        return TreeFile(name, before.st_size, known)
    file = _hashed(name, path, buffer)
    seen.note(name, before, path.stat(), file.digest)
    return file


def _read(path: Path, buffer: memoryview) -> tuple[int, str]:
    """The size and the digest of what is read."""
    whole, size = hashlib.sha256(), 0
    with FileIO(path) as file:
        while count := file.readinto(buffer):
            whole.update(buffer[:count])
            size += count
    return size, whole.hexdigest()


def iter_files(path: Path) -> Iterator[tuple[str, Path]]:
    """(name in the tree, path) of a file, or of all files below a folder that are not left out (``ignore.py``).

    Raises NotFound when nothing is there, UserError for a file that is never kept, links, devices and names that not
    every platform can have: what they stand for would differ from place to place.
    """
    if not path.exists():
        raise NotFound(f"There is no file or folder {path}.", hint=missing_file_hint(path))
    if path.is_dir():
        yield from _below(path, read_ignored(path))
    else:
        _require_plain(path, path.name, is_plain=stat.S_ISREG(path.lstat().st_mode))
        if is_never_kept(path.name):
            raise UserError(f"{path} is never registered, because such files hold secrets or are caches.")
        yield path.name, path


def _below(folder: Path, ignored: Ignored) -> Iterator[tuple[str, Path]]:
    with os.scandir(folder) as found:
        entries = sorted(found, key=lambda entry: entry.name)
    for entry in entries:
        is_folder = entry.is_dir(follow_symlinks=False)
        if ignored.has(entry.name, is_folder=is_folder):
            continue
        path = Path(entry.path)
        if is_folder:
            _require_name(path, entry.name)
            yield from _below(path, ignored.below(path))
        else:
            _require_plain(path, entry.name, is_plain=entry.is_file(follow_symlinks=False))
            yield ignored.prefix + entry.name, path


def is_plain_name(name: str) -> bool:
    """Whether each part of a name in a tree is one that every platform can have, and leads nowhere else."""
    return all(map(_is_plain_part, name.split("/"))) and _is_text(name)


def _is_plain_part(part: str) -> bool:
    return bool(_PLAIN_NAME.fullmatch(part)) and part[-1] not in ". " and not _OF_DEVICES.fullmatch(part)


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _require_name(path: Path, name: str) -> None:
    if not is_plain_name(name):
        raise UserError(f"The name of {str(path)!r} cannot be kept on every platform.", hint="Rename it first.")


def _require_plain(path: Path, name: str, *, is_plain: bool) -> None:
    _require_name(path, name)
    if not is_plain:
        raise UserError(f"{path} is not a plain file.", hint="Put a copy in place of a link, and leave out devices.")
