"""``flowyard ab``"""

from __future__ import annotations

import click

from flowyard.cli.lazy import LazyGroup

__all__ = ["ab"]

_COMMANDS = {
    "init": ("flowyard.cli.ab.init:init", "Write the files of a test of what serves in two environments."),
    "start": ("flowyard.cli.ab.run:start", "Begin a test: give the treatment its first share."),
    "status": ("flowyard.cli.ab.look:status", "Show what is known and what would be decided, and change nothing."),
    "decide": ("flowyard.cli.ab.run:decide_", "Decide by what is known, and set the split by it."),
    "serve": ("flowyard.cli.ab.serve:serve", "Answer other programs what would be decided, and change nothing."),
    "export": ("flowyard.cli.ab.export:export", "Write files with which Argo Rollouts waits for the decision."),
    "stop": ("flowyard.cli.ab.run:stop", "End a test by your word: the treatment gets no more requests."),
}


@click.group(cls=LazyGroup, places=_COMMANDS)
def ab() -> None:
    """Compare two versions in production, and let the better one have the requests."""
