"""The real git, in repositories of tests."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from functional_helper import clean_environment

__all__ = ["git"]


def git(folder: Path, *words: str | Path) -> str:
    """What git prints. It reads no settings of this machine."""
    settings = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    people = {f"GIT_{who}_{what}": "ann@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    done = subprocess.run(
        ["git", *words],
        cwd=folder,
        env=clean_environment({**settings, **people}),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()
