"""Which files of a repository are looked at."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from flowyard.errors import UserError

__all__ = ["DEPLOYMENT_FILES", "find_use_cases", "is_of_template", "iter_files", "overlays"]

_SKIPPED = {".git", ".flowyard", ".venv", "venv", "env", "node_modules", "__pycache__", ".promptflow", "site-packages"}
_DEEPEST = 8
DEPLOYMENT_FILES = ("configs/deployment_config.json", "deployment_config.json")
_ONLY_THERE = (*DEPLOYMENT_FILES, "configs/dataops_config.json", "environment/env.yaml")


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


def is_of_template(root: Path, cases: Iterable[Path]) -> bool:
    """Whether there is a file that only the GenAIOps template has: its code, or configurations of a use case."""
    return (root / "llmops").is_dir() or any((case / name).is_file() for case in cases for name in _ONLY_THERE)


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
