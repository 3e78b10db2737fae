"""The digest of all that a use case is made of: while it stays, what was done need not be done again."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from flowyard.pipelines.use_cases.footprint import footprint, iter_kept
from flowyard.pipelines.use_cases.touched import is_for_all
from flowyard.registry.ignore import is_never_kept
from flowyard.registry.tree import file_digest

__all__ = ["inputs_digest"]


def inputs_digest(root: Path, use_case: str, left_out: Iterable[Path] = ()) -> str:
    """The SHA-256 over names and contents of its footprint and of what is for all use cases, in hex.

    ``left_out`` are folders that are written meanwhile. Raises OSError.
    """
    whole = hashlib.sha256()
    skipped = [each.resolve() for each in left_out]
    for name, path in _files(root.resolve(), use_case):
        if any(path.is_relative_to(each) for each in skipped):
            continue
        digest = hashlib.sha256(str(path.readlink()).encode()).hexdigest() if path.is_symlink() else file_digest(path)
        encoded = name.encode("utf-8", "surrogateescape")
        whole.update(len(encoded).to_bytes(8, "big") + encoded + bytes.fromhex(digest))
    return whole.hexdigest()


def _files(root: Path, use_case: str) -> Iterator[tuple[str, Path]]:
    places = [root / each for each in footprint(root, use_case)]
    top = (path for path in root.iterdir() if not is_never_kept(path.name))
    shared = [path for path in top if is_for_all(f"{path.name}/" if path.is_dir() else path.name)]
    found = {path.relative_to(root).as_posix(): path for place in (*places, *shared) for path in iter_kept(place)}
    return iter(sorted(item for item in found.items() if item[1].is_file() or item[1].is_symlink()))
