"""What changed since a revision: git is asked for paths only, which may be called anything."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from flowyard._util.git import ask_git
from flowyard.errors import UserError
from flowyard.pipelines.use_cases.find import EXPERIMENT_FILE

__all__ = ["Changes", "read_changes"]

_NO_COMMIT = re.compile(r"0{40}(0{24})?")
"""What GitHub calls the commit before the first one of a new branch."""

_NO_GIT = (
    "Name use cases. If it is one, see what git says: git status (of a folder that is somebody else's: safe.directory)"
)


@dataclass(frozen=True, slots=True)
class Changes:
    """Paths relative to the work tree's top. ``since`` is the commit that they are compared with.

    ``everything``: there is nothing to compare with, so all may have changed. ``deleted`` are folders of use cases that
    are there no more; a renamed one is deleted under its old name.
    """

    since: str | None
    paths: tuple[str, ...]
    deleted: tuple[str, ...] = ()
    everything: bool = False


def read_changes(root: Path, revision: str) -> Changes:
    """What is different here, committed or not, from where this branch left ``revision``.

    Raises UserError without a repository, for what is no revision, and for a clone without enough history.
    """
    if ask_git(root, "rev-parse", "--git-dir") is None:
        raise UserError(f"{root} is no git repository, so nothing is known to have changed.", hint=_NO_GIT)
    if _NO_COMMIT.fullmatch(revision):
        return Changes(None, (), everything=True)
    base = _merge_base(root, _commit(root, revision), revision)
    quiet = ("--no-renames", "--no-ext-diff", "--no-textconv", "--ignore-submodules=none", "--name-only", "-z")
    differing = _paths(root, "diff", *quiet, base, "--")
    new = _paths(root, "ls-files", "--others", "--exclude-standard", "-z")
    before = _paths(root, "ls-tree", "-r", "--name-only", "-z", "--full-tree", base)
    files = (path for path in before if path.rpartition("/")[2] == EXPERIMENT_FILE)
    deleted = sorted(file.rpartition("/")[0] or "." for file in files if not (root / file).is_file())
    return Changes(base, tuple(sorted({*differing, *new})), tuple(deleted))


def _commit(root: Path, revision: str) -> str:
    found = None
    if revision and not revision.startswith("-") and "\0" not in revision:
        found = ask_git(root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
    if not found:
        wanted = revision.removeprefix("origin/")  # the branch as the remote itself calls it
        fetch = (
            f"In CI, fetch it first: git fetch origin {wanted}" if _is_word(revision) else "Name a branch or commit."
        )
        raise UserError(f"There is no revision{_shown(revision)} here.", hint=_deepen(root) or fetch)
    return found.strip()


def _merge_base(root: Path, commit: str, revision: str) -> str:
    found = ask_git(root, "merge-base", commit, "HEAD")
    if not found:
        hint = _deepen(root) or "Compare with a branch that this one comes from."
        raise UserError(f"No common commit with{_shown(revision)} is known here.", hint=hint)
    return found.strip()


def _shown(revision: str) -> str:
    """A revision as a person may see it: what is called otherwise may be anything, such as an address with a key."""
    return f" {revision!r}" if _is_word(revision) else " of that name"


def _deepen(root: Path) -> str | None:
    """The next step in a clone that has only the last commits."""
    if (ask_git(root, "rev-parse", "--is-shallow-repository") or "").strip() != "true":
        return None
    return (
        "This clone is shallow. Fetch the history: git fetch --unshallow\n"
        "GitHub: actions/checkout with fetch-depth: 0; Azure DevOps: checkout with fetchDepth: 0; Jenkins: no shallow "
        "clone."
    )


def _is_word(text: str) -> bool:
    return re.fullmatch(r"[A-Za-z0-9._/~^-]{1,200}", text) is not None


def _paths(root: Path, *words: str) -> Sequence[str]:
    told = ask_git(root, *words)
    if told is None:
        raise UserError(f"git cannot say what changed: git {words[0]} failed.", hint="Does `git status` work here?")
    return [os.path.normpath(path).replace(os.sep, "/") for path in told.split("\0") if path]
