"""Reports of jobs that ran the code of a pull request: read as data, as whoever wrote that code may have made them."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from flowyard.reports.markdown_text import tamed

__all__ = ["Received", "find_reports"]

_MOST_REPORTS = 50
"""More comments than that are on no pull request."""
_MOST_BYTES = 1 << 20
_NAME = "summary.md"
_DEPTH = 2
"""Below the folder: one for each artifact, and in that at most one for the use case."""


@dataclass(frozen=True, slots=True)
class Received:
    """``text`` is Markdown that shows what was written; ``problem`` says why there is none."""

    place: str
    text: str | None = None
    problem: str | None = None


def find_reports(folder: Path, most: int = _MOST_REPORTS) -> Sequence[Received]:
    """The reports below a folder of artifacts, in order of their folders. Links are not followed, to nowhere.

    That there are more than ``most`` is a problem of what follows the last that is read.
    """
    found = sorted(_places(folder, _DEPTH))
    taken = [_received(folder, place) for place in found[:most]]
    if len(found) > most:
        taken.append(Received(f"What follows {taken[-1].place}", problem=f"at most {most} reports are read"))
    return taken


def _places(folder: Path, depth: int) -> list[Path]:
    """Where files of that name are, in real folders only."""
    places: list[Path] = []
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name == _NAME:
                places.append(Path(entry.path))
            elif depth and entry.is_dir(follow_symlinks=False):
                places += _places(Path(entry.path), depth - 1)
    return places


def _received(folder: Path, place: Path) -> Received:
    name = str(place.relative_to(folder))
    try:
        opened = os.open(place, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return Received(name, problem="it is a link, or cannot be read")
    if not stat.S_ISREG(os.fstat(opened).st_mode):
        os.close(opened)
        return Received(name, problem="it is no file")
    with os.fdopen(opened, "rb") as file:
        content = file.read(_MOST_BYTES + 1)
    if len(content) > _MOST_BYTES:
        return Received(name, problem="it is too large")
    return Received(name, tamed(content.decode("utf-8", "replace")))
