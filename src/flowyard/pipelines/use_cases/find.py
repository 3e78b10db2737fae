"""The use cases of a repository: folders with ``experiment.yaml``."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from flowyard._util.git import ask_git
from flowyard.errors import UserError
from flowyard.registry.ignore import is_never_kept

__all__ = ["EXPERIMENT_FILE", "find_use_cases", "repository_root", "require_plain"]

EXPERIMENT_FILE = "experiment.yaml"
_PLAIN = re.compile(r"(?!-)[A-Za-z0-9._-]+(?:/(?!-)[A-Za-z0-9._-]+)*")


def repository_root(near: Path) -> Path:
    """The top of git's work tree; without one, the folder itself."""
    top = ask_git(near, "rev-parse", "--show-toplevel")
    return Path(top.removesuffix("\n")).resolve() if top else near.resolve()


def find_use_cases(root: Path) -> Sequence[str]:
    """Their folders relative to ``root``, with ``/``, sorted; nothing is looked for in folders that begin with a dot.

    A folder inside of a use case is none of its own.
    """
    found = []
    for folder, folders, files in os.walk(root):
        if EXPERIMENT_FILE in files:
            found.append(Path(folder).relative_to(root).as_posix())
            folders.clear()
        folders[:] = sorted(each for each in folders if not each.startswith(".") and not is_never_kept(each))
    return sorted(found)


def require_plain(use_cases: Iterable[str]) -> Sequence[str]:
    """The folders, if all can go through CI systems and shells as they are. Raises UserError with those that cannot."""
    listed = list(use_cases)
    wrong = [each for each in listed if not _PLAIN.fullmatch(each)]
    if wrong:
        shown = ", ".join(ascii(each) for each in wrong)
        raise UserError(
            f"These folders of use cases have names that CI systems and shells may take for something else: {shown}.",
            hint="Use letters, digits, dots, dashes and underscores, no dash first.",
        )
    return listed
