"""What a use case is made of: its folder, and what its files name outside of it.

Every text of a YAML or JSON file, or of a prompty's front matter, that could be a path out of the folder counts as one:
includes of flows, data, evaluators, rules of simulations, requests of tests. That says rather too much than too
little: a use case that runs without need costs minutes, one that does not run hides a fault. What Python imports from
elsewhere is not seen.
"""

from __future__ import annotations

import os
import posixpath
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from flowyard._util.yamlfile import read_yaml
from flowyard.errors import FlowyardError
from flowyard.flows.front_matter import read_front_matter
from flowyard.registry.ignore import is_never_kept

__all__ = ["footprint", "iter_kept"]

_READ = frozenset({".yaml", ".yml", ".json", ".prompty"})
_REFERENCE = re.compile(r"\$\{file:(.*?)\}", re.IGNORECASE)
_MOST_LINKS = 40
_MOST_BYTES = 1 << 20
_MOST_TEXT, _MOST_NAME = 400, 255


def footprint(root: Path, use_case: str) -> frozenset[str]:
    """Paths with ``/``, relative to ``root``: the use case's folder, and files and folders that it leads to.

    ``use_case`` is its folder, relative to ``root`` too. Paths need not exist: a file that was deleted counts.
    """
    root = root.resolve()
    found, ahead = {use_case}, [use_case]
    while ahead:
        place = ahead.pop()
        for named in _with_links(root, _named_below(root, place, use_case)):
            if not any(_is_in(named, each) for each in found):
                found.add(named)
                ahead.append(named)
    return frozenset(found)


def iter_kept(path: Path) -> Iterator[Path]:
    """The files and links at a path, in the same order everywhere, without caches, results and files with secrets."""
    if _is_kept(path):
        yield path
        return
    for folder, folders, files in os.walk(path):
        folders[:] = sorted(name for name in folders if not is_never_kept(name))
        links = [name for name in folders if (Path(folder) / name).is_symlink()]
        for name in sorted([*files, *links]):
            if not is_never_kept(name) and _is_kept(Path(folder) / name):
                yield Path(folder) / name


def _is_kept(path: Path) -> bool:
    """No pipe or device: reading one may never end."""
    return path.is_symlink() or path.is_file()


def _named_below(root: Path, place: str, use_case: str) -> Iterator[str]:
    for file in iter_kept(root / place):
        if file.is_symlink():
            yield file.relative_to(root).as_posix()
        elif file.suffix in _READ and file.stat().st_size <= _MOST_BYTES:
            for text in _texts(_parsed(file)):
                for folder in dict.fromkeys((file.parent, root / use_case)):
                    yield from _led_to(root, folder, text)


def _parsed(file: Path) -> Any:
    """The content; what cannot be read names nothing, and fails where it is used. Nor does what leads nowhere out."""
    try:
        if b".." not in file.read_bytes():  # parsing takes a second for each 100 KB
            return None
        return read_front_matter(file).yaml.data if file.suffix == ".prompty" else read_yaml(file).data
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
    reference = _REFERENCE.match(text)
    plain = (reference[1] if reference else text).replace("\\", "/").removeprefix("file:")
    parts = plain.split("/")
    if ".." not in parts or any(len(part.encode("utf-8", "replace")) > _MOST_NAME for part in parts):
        return
    before = next((place for place, part in enumerate(parts) if set(part) & set("*?[{$")), len(parts))
    relative = folder.relative_to(root).as_posix()
    led = posixpath.normpath(posixpath.join(relative, "/".join(parts[:before]) or "."))
    if led != "." and not led.startswith(("..", "/")):
        yield led


def _with_links(root: Path, paths: Iterable[str]) -> Iterator[str]:
    """The paths, and where links on the way lead to, one link after the other."""
    for path in paths:
        ahead: str | None = path
        for _ in range(_MOST_LINKS):
            if ahead is None:
                break
            yield ahead
            ahead = _behind_link(root, ahead)


def _behind_link(root: Path, path: str) -> str | None:
    """The path with its first link replaced by what that points to; None without one, or when that is elsewhere."""
    parts = path.split("/")
    for place in range(1, len(parts) + 1):
        link = root.joinpath(*parts[:place])
        if link.is_symlink():
            led = os.path.normpath(link.parent / link.readlink() / "/".join(parts[place:]))
            relative = os.path.relpath(led, root).replace(os.sep, "/")
            return None if relative == "." or relative.startswith("..") else relative
    return None


def _is_in(path: str, folder: str) -> bool:
    return folder in (".", path) or path.startswith(f"{folder}/")
