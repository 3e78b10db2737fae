"""Putting several options on a command at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["Command", "grouped"]

Command = Callable[..., Any]


def grouped(command: Command, *options: Callable[[Command], Command]) -> Command:
    """The command with the options, which help lists in this order."""
    for option in reversed(options):
        command = option(command)
    return command
