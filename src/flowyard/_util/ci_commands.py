"""Text of any origin in the log of a CI job, which takes some lines for commands."""

from __future__ import annotations

import re

__all__ = ["without_ci_commands", "without_ci_commands_in_json"]

_NOTHING = "\u200b"
_START = re.compile(r"^(\s*):(?=:)", re.MULTILINE)
_ANYWHERE = re.compile(r"#(?=#(?:vso)?\[)", re.IGNORECASE)


def without_ci_commands(text: str) -> str:
    """The text with no ``::set-output …`` at the start of a line and no ``##vso[…]`` or ``##[…]`` anywhere.

    GitHub reads the first after any spaces, Azure DevOps the others anywhere. Spaces without width part them.
    """
    return _ANYWHERE.sub(f"#{_NOTHING}", _START.sub(rf"\1:{_NOTHING}", text))


def without_ci_commands_in_json(text: str) -> str:
    """The same value as JSON, in which no such command stands as it is."""
    return _ANYWHERE.sub(r"\\u0023", text)
