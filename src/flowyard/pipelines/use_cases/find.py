"""The use cases of a repository: folders with ``experiment.yaml``."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath

from flowyard._util.git import ask_git
from flowyard.registry.ignore import is_never_kept

__all__ = ["EXPERIMENT_FILE", "find_use_cases", "folder_for_ci", "is_plain", "repository_root"]

EXPERIMENT_FILE = "experiment.yaml"
_LONGEST = 60
_PLAIN = re.compile(r"(?!-)[A-Za-z0-9._-]+(?:/(?!-)[A-Za-z0-9._-]+)*")


def repository_root(near: Path) -> Path:
    """The top of git's work tree; without one, the folder itself."""
    top = ask_git(near, "rev-parse", "--show-toplevel")
    return Path(top.removesuffix("\n")).resolve() if top else near.resolve()


def find_use_cases(root: Path, below: str = ".", leave_out: Iterable[str] = ()) -> Sequence[str]:
    """Their folders relative to ``root``, with ``/``, sorted; nothing is looked for in folders that begin with a dot.

    ``below`` is the folder in which they are, ``leave_out`` are folders that have none, both relative to ``root``. A
    folder inside of a use case is none of its own.
    """
    found, without = [], {PurePosixPath(each) for each in leave_out}
    for folder, folders, files in os.walk(root / below):
        place = PurePosixPath(Path(folder).relative_to(root).as_posix())
        if place in without:
            folders.clear()
            continue
        if EXPERIMENT_FILE in files:
            found.append(place.as_posix())
            folders.clear()
        folders[:] = sorted(each for each in folders if not each.startswith(".") and not is_never_kept(each))
    return sorted(found)


def is_plain(use_case: str) -> bool:
    """Whether the folder can go through CI systems and shells as it is."""
    return _PLAIN.fullmatch(use_case) is not None


def folder_for_ci(use_case: str) -> str:
    """The folder as CI systems get it: itself; of one that is not plain a name that stands for it, and is no folder."""
    if is_plain(use_case):
        return use_case
    digest = hashlib.sha256(use_case.encode("utf-8", "surrogateescape")).hexdigest()[:12]
    shown = re.sub(r"[^A-Za-z0-9]+", "_", use_case).strip("_")[:_LONGEST]
    return f"refused-{digest}-{shown or 'unnamed'}"
