"""What git says of a folder. Git itself is asked, without hooks and without a monitor of files."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Commit", "ask_git", "read_commit"]

_QUIET = ("-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null", "-c", "core.quotePath=false")
_TIMEOUT_S = 30


@dataclass(frozen=True, slots=True)
class Commit:
    """The commit that is checked out. ``branch`` is None when it is no branch's; ``remote`` as it is configured.

    ``changed`` are files at the places that were asked for which are not as in the commit, relative to the
    repository's top.
    """

    revision: str
    branch: str | None
    remote: str | None
    changed: tuple[str, ...]


def read_commit(places: Sequence[Path]) -> Commit | None:
    """The commit of the repository that the first place lies in; None without git, repository or commit."""
    folder = places[0] if places[0].is_dir() else places[0].parent
    revision = ask_git(folder, "rev-parse", "--verify", "--quiet", "HEAD")
    if not revision:
        return None
    status = ask_git(folder, "status", "--porcelain", "-z", "--untracked-files=all", "--", *map(str, places))
    remote = ask_git(folder, "config", "--get", "remote.origin.url")
    branch = ask_git(folder, "symbolic-ref", "--short", "--quiet", "HEAD")
    changed = tuple(each[3:] for each in status.split("\0") if each[2:3] == " ") if status else ()
    return Commit(revision.strip(), (branch or "").strip() or None, (remote or "").strip() or None, changed)


def ask_git(folder: Path, *words: str) -> str | None:
    """What a command of git prints; None when it fails, or there is no git."""
    try:
        done = subprocess.run(  # noqa: S603 - our own words, and paths
            ["git", "--no-optional-locks", *_QUIET, "-C", str(folder), *words],  # noqa: S607 - whichever git a person uses
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.decode("utf-8", "replace") if done.returncode == 0 else None
