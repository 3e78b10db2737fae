"""Commands of a script for sh, word by word, so that no name can end a word or begin a command."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

__all__ = ["Command", "Step", "Variable", "Word", "script"]

_WIDE = 110
_HEAD = """\
#!/bin/sh
# Printed by `flowyard azure setup`. Read it, log in with `az login`, then run it with sh.
# It holds no secret, and it may be run again: what is there already stays.
# shellcheck disable=SC2016  # a name with a dollar sign is a name
set -eu
"""


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable of the script; its value is one word, whatever is in it."""

    name: str


Word = str | Variable | tuple["str | Variable", ...]
"""A text, a variable, or both in a row as one word."""


@dataclass(frozen=True, slots=True)
class Command:
    """One command. ``into`` is the variable that gets what it prints; ``given`` comes to its standard input.

    ``unless`` is a command that succeeds where this one is not needed. ``only_if_empty`` runs it only while that
    variable is empty.
    """

    words: tuple[Word, ...]
    into: str | None = None
    given: Word | None = None
    unless: tuple[Word, ...] = ()
    only_if_empty: str | None = None

    def text(self) -> str:
        """The lines of it."""
        line = _line(self.words)
        if self.given is not None:
            line = f"printf '%s' {_word(self.given)} | {line}"
        if self.into is not None:
            line = f'{self.into}="$({line})"'
        if self.unless:
            line = f"{_line(self.unless)} >/dev/null 2>&1 ||\n  {line}"
        if self.only_if_empty is not None:
            inner = line.replace("\n", "\n  ")
            return f'if [ -z "${self.only_if_empty}" ]; then\n  {inner}\nfi'
        return line


@dataclass(frozen=True, slots=True)
class Step:
    """Commands that belong together, and what for. A text among them is lines of sh that were made by us."""

    title: str
    why: str
    commands: tuple[Command | str, ...]

    def lines(self) -> list[str]:
        """Each command as text."""
        return [each if isinstance(each, str) else each.text() for each in self.commands]


def script(steps: Iterable[Step], head: str = _HEAD) -> str:
    """The whole script, whose first lines are ``head``."""
    parts = [head]
    for step in steps:
        parts.append("\n".join([f"# {step.title}", *(f"#   {line}" for line in step.why.splitlines()), *step.lines()]))
    return "\n\n".join(part.rstrip("\n") for part in parts) + "\n"


def _word(word: Word) -> str:
    parts = word if isinstance(word, tuple) else (word,)
    return "".join(f'"${{{each.name}}}"' if isinstance(each, Variable) else shlex.quote(each) for each in parts)


def _line(words: Sequence[Word]) -> str:
    """One line, or, where that is wide, one for each option."""
    shown = [_word(each) for each in words]
    if len(" ".join(shown)) <= _WIDE:
        return " ".join(shown)
    rows: list[list[str]] = [[]]
    for word in shown:
        if word.startswith("--") and rows[0]:
            rows.append([])
        rows[-1].append(word)
    return " \\\n    ".join(" ".join(row) for row in rows)
