"""``flowyard evaluation``; the command is imported when it is called."""

from __future__ import annotations

import click

from flowyard.cli.lazy import LazyGroup

__all__ = ["evaluation"]

_COMMANDS = {
    "create": ("flowyard.cli.evaluation.create:create", "Judge a run that there is, by one or more evaluators.")
}


@click.group(cls=LazyGroup, places=_COMMANDS)
def evaluation() -> None:
    """Judge runs, without an experiment."""
