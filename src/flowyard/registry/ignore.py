"""What is never part of a dataset, a flow version or an image: a fixed list, and what an ignore file names.

The fixed list holds caches, version control, results and files with secrets; no ignore file can bring those back. The
ignore file is the first that there is of ``.flowyardignore``, ``.amlignore`` and ``.gitignore``, in the folder itself
and in the folders below it, and is read as git reads ``.gitignore``: the nearest file and its last pattern decide, and
nothing below a folder that is left out comes back.
"""

from __future__ import annotations

import fnmatch
import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from flowyard._util.left_out import LEFT_OUT
from flowyard._util.wildmatch import IgnoreRule, parse_rules, verdict
from flowyard.errors import UserError

__all__ = ["IGNORE_FILES", "Ignored", "is_kept_by_name", "is_never_kept", "read_ignored"]

IGNORE_FILES = (".flowyardignore", ".amlignore", ".gitignore")

_NEVER = re.compile("|".join(fnmatch.translate(pattern) for pattern in LEFT_OUT))


def is_never_kept(name: str) -> bool:
    """Whether a file or folder of that name is left out wherever it lies."""
    return _NEVER.match(name) is not None


@dataclass(frozen=True, slots=True)
class Ignored:
    """What is left out of one folder. ``prefix`` is its path in the tree, empty or with ``/`` at its end.

    ``rules`` are the prefixes and patterns that hold in it, the nearest first.
    """

    file_name: str | None = None
    prefix: str = ""
    rules: tuple[tuple[str, tuple[IgnoreRule, ...]], ...] = ()

    def below(self, folder: Path) -> Ignored:
        """What is left out of ``folder``, which is a folder in this one."""
        return _with_rules(folder, self.file_name, f"{self.prefix}{folder.name}/", self.rules)

    def has(self, name: str, *, is_folder: bool) -> bool:
        """Whether the entry of that name in this folder is left out."""
        return is_never_kept(name) or self._verdict(name, is_folder=is_folder) is True

    def keeps(self, name: str, *, is_folder: bool) -> bool:
        """Whether a pattern with ``!`` says of the entry that it is kept."""
        return self._verdict(name, is_folder=is_folder) is False

    def _verdict(self, name: str, *, is_folder: bool) -> bool | None:
        place = f"{self.prefix}{name}"
        verdicts = (verdict(rules, place[len(prefix) :], is_folder=is_folder) for prefix, rules in self.rules)
        return next((each for each in verdicts if each is not None), None)


def read_ignored(folder: Path) -> Ignored:
    """What is left out of a folder that is kept. Raises UserError when its ignore file cannot be read."""
    name = next((name for name in IGNORE_FILES if (folder / name).is_file()), None)
    return _with_rules(folder, name, "", ())


def is_kept_by_name(folder: Path, name: str) -> bool:
    """Whether ``.flowyardignore`` says, with ``!``, that a file of the folder or a folder that it is in is kept."""
    ignored = read_ignored(folder)
    if ignored.file_name != IGNORE_FILES[0]:
        return False
    *folders, own = PurePosixPath(name).parts
    for each in folders:
        if ignored.keeps(each, is_folder=True):
            return True
        folder /= each
        ignored = ignored.below(folder)
    return ignored.keeps(own, is_folder=False)


def _with_rules(
    folder: Path, name: str | None, prefix: str, outer: tuple[tuple[str, tuple[IgnoreRule, ...]], ...]
) -> Ignored:
    rules = outer
    if name is not None and (folder / name).is_file():
        rules = ((prefix, _read(folder / name)), *outer)
    return Ignored(name, prefix, rules)


def _read(file: Path) -> tuple[IgnoreRule, ...]:
    try:
        return parse_rules(file.read_text("utf-8-sig").split("\n"))
    except (OSError, ValueError) as error:
        raise UserError(
            f"{file} cannot be read: {error}.", hint="Write one pattern a line, as in .gitignore."
        ) from None
