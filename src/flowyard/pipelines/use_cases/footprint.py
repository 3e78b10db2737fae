"""What a use case is made of: its folder, and what its files name outside of it.

Every text of a YAML or JSON file that could be a path out of the folder counts as one: includes of flows, data,
evaluators, rules of simulations, requests of tests. That says rather too much than too little: a use case that runs
without need costs minutes, one that does not run hides a fault. What Python imports from elsewhere is not seen.
"""

from __future__ import annotations

import os
import posixpath
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from flowyard._util.yamlfile import read_yaml
from flowyard.errors import FlowyardError
from flowyard.registry.ignore import is_never_kept

__all__ = ["footprint", "iter_kept"]

_READ = frozenset({".yaml", ".yml", ".json"})
_MOST_BYTES = 1 << 20
_MOST_TEXT = 400


def footprint(root: Path, use_case: str) -> frozenset[str]:
    """Paths with ``/``, relative to ``root``: the use case's folder, and files and folders that it leads to.

    ``use_case`` is its folder, relative to ``root`` too. Paths need not exist: a file that was deleted counts.
    """
    root = root.resolve()
    found, ahead = {use_case}, [use_case]
    while ahead:
        place = ahead.pop()
        for named in _named_below(root, place, use_case):
            if not any(_is_in(named, each) for each in found):
                found.add(named)
                ahead.append(named)
    return frozenset(found)


def iter_kept(path: Path) -> Iterator[Path]:
    """The files at a path, in the same order everywhere, without caches, results and files with secrets."""
    if path.is_file() or path.is_symlink():
        yield path
        return
    for folder, folders, files in os.walk(path):
        folders[:] = sorted(name for name in folders if not is_never_kept(name))
        links = [name for name in folders if (Path(folder) / name).is_symlink()]
        for name in sorted([*files, *links]):
            if not is_never_kept(name):
                yield Path(folder) / name


def _named_below(root: Path, place: str, use_case: str) -> Iterator[str]:
    for file in iter_kept(root / place):
        if file.is_symlink():
            yield from _inside(root, file.resolve())
        elif file.suffix in _READ and file.stat().st_size <= _MOST_BYTES:
            for text in _texts(_parsed(file)):
                for folder in dict.fromkeys((file.parent, root / use_case)):
                    yield from _led_to(root, folder, text)


def _parsed(file: Path) -> Any:
    """The content; what cannot be read names nothing, and fails where it is used."""
    try:
        return read_yaml(file).data
    except (FlowyardError, OSError, ValueError, RecursionError):
        return None


def _texts(value: Any) -> Iterator[str]:
    ahead = [value]
    while ahead:
        each = ahead.pop()
        if isinstance(each, str):
            yield each
        elif isinstance(each, dict):
            ahead += each.values()
        elif isinstance(each, list):
            ahead += each


def _led_to(root: Path, folder: Path, text: str) -> Iterator[str]:
    """Where a text leads to out of a folder, if it does; of a pattern, the folder before it."""
    if ".." not in text or len(text) > _MOST_TEXT or "\n" in text or "\0" in text or "://" in text:
        return
    plain = text.replace("\\", "/").removeprefix("file:")
    parts = plain.split("/")
    if ".." not in parts:
        return
    before = next((place for place, part in enumerate(parts) if set(part) & set("*?[{$")), len(parts))
    relative = folder.relative_to(root).as_posix()
    led = posixpath.normpath(posixpath.join(relative, "/".join(parts[:before]) or "."))
    if led != "." and not led.startswith(("..", "/")):
        yield led


def _inside(root: Path, path: Path) -> Iterator[str]:
    if path.is_relative_to(root) and path != root:
        yield path.relative_to(root).as_posix()


def _is_in(path: str, folder: str) -> bool:
    return folder in (".", path) or path.startswith(f"{folder}/")
