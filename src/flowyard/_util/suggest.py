"""Did you mean …?"""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable
from pathlib import Path

__all__ = ["did_you_mean", "known_names", "missing_file_hint"]


def did_you_mean(wrong: str, known: Iterable[str]) -> str | None:
    """``Did you mean 'x'?`` for the nearest known name, or None when nothing is near."""
    names = [str(name) for name in known]
    other_case = next((name for name in names if name.casefold() == wrong.casefold()), None)
    near = [other_case] if other_case else difflib.get_close_matches(wrong, names, n=1, cutoff=0.6)
    return f"Did you mean {near[0]!r}?" if near else None


def missing_file_hint(path: Path) -> str:
    """The next step for a file or folder that is not there: what may be meant instead, or where it was looked for."""
    folder = path.parent
    if not folder.is_dir():
        return f"There is no folder {folder} either."
    names = (child.name for child in folder.iterdir()) if os.access(folder, os.R_OK) else ()
    return did_you_mean(path.name, names) or f"It was looked for in {folder.resolve()}."


def known_names(known: Iterable[str], *, most: int = 12) -> str:
    """The known names for an error message, shortened when there are many; ``none`` when there are none."""
    names = [repr(name) for name in known]
    if len(names) > most:
        names = [*names[:most], f"and {len(names) - most} more"]
    return ", ".join(names) or "none"
