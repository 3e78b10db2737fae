"""Actions of others, by commit: ``actions.lock`` is the only place that says which."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import NamedTuple

__all__ = ["LockedAction", "action", "locked_actions", "with_versions"]


class LockedAction(NamedTuple):
    """``name`` is ``OWNER/NAME``, ``commit`` a full SHA."""

    name: str
    version: str
    commit: str

    @property
    def reference(self) -> str:
        """What ``uses`` says."""
        return f"{self.name}@{self.commit}"


@cache
def locked_actions() -> Mapping[str, LockedAction]:
    """All of the lock file, by name."""
    text = files(__package__).joinpath("actions.lock").read_text("utf-8")
    lines = (line.split() for line in text.splitlines() if line and not line.startswith("#"))
    return {words[0]: LockedAction(*words) for words in lines}


def action(name: str) -> str:
    """What ``uses`` says of an action that is in the lock file."""
    return locked_actions()[name].reference


def with_versions(text: str) -> str:
    """A workflow's text with the version beside each commit, for people and for tools that look for new ones."""
    for locked in locked_actions().values():
        text = text.replace(f"{locked.reference}\n", f"{locked.reference} # {locked.version}\n")
    return text
