"""``flowyard flow``; a file for each of its commands."""

from __future__ import annotations

import click

from flowyard.cli.lazy import LazyGroup

__all__ = ["flow"]

_COMMANDS = {
    "init": ("flowyard.cli.flow.init:init", "Write a new flow, or a flow around a function that exists."),
    "test": ("flowyard.cli.flow.test:test", "Run a flow, or one of its nodes, on one set of inputs; or chat with it."),
    "serve": ("flowyard.cli.flow.serve:serve", "Serve a flow over HTTP."),
    "build": (
        "flowyard.cli.flow.build:build",
        "Write a folder that serves the flow, with or without Docker.",
    ),
    "validate": ("flowyard.cli.flow.validate:validate", "Check a flow without running it."),
}


@click.group(cls=LazyGroup, places=_COMMANDS)
def flow() -> None:
    """Make, test, check, serve and build one flow."""
