"""Which files of a repository are looked at."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from flowyard.errors import UserError

__all__ = ["find_use_cases", "iter_files", "overlays"]

_SKIPPED = {".git", ".flowyard", ".venv", "venv", "env", "node_modules", "__pycache__", ".promptflow", "site-packages"}
_DEEPEST = 8


def find_use_cases(root: Path) -> list[Path]:
    """The folders with an ``experiment.yaml``, those inside another one left out.

    Raises UserError when ``root`` is no folder, or has none.
    """
    if not root.is_dir():
        raise UserError(f"There is no folder {root}.", hint="Give the folder of the repository.")
    found: list[Path] = []
    for file in iter_files(root):
        if file.name == "experiment.yaml" and not any(file.is_relative_to(case) for case in found):
            found.append(file.parent)
    if not found:
        raise UserError(f"No folder below {root} has an experiment.yaml.", hint="Give the folder of the repository.")
    return sorted(found)


def overlays(folder: Path) -> dict[str, Path]:
    """The overlays of a use case by environment."""
    files = sorted(folder.glob("experiment.*.yaml"))
    return {file.name.removeprefix("experiment.").removesuffix(".yaml"): file for file in files if file.is_file()}


def iter_files(folder: Path) -> Iterator[Path]:
    """Every file below a folder, the nearest first, in order of their names; links are not followed."""
    later: list[Path] = []
    for entry in sorted(os.scandir(folder), key=lambda each: each.name):
        path = folder / entry.name
        if entry.is_file(follow_symlinks=False):
            yield path
        elif entry.is_dir(follow_symlinks=False) and entry.name not in _SKIPPED:
            later.append(path)
    for path in later:
        if len(path.parts) < len(folder.parts) + _DEEPEST:
            yield from iter_files(path)
