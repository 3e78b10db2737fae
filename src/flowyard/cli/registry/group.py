"""``flowyard registry``; a file for each group of its commands, imported when one is called."""

from __future__ import annotations

import click

from flowyard.cli.lazy import LazyGroup

__all__ = ["registry"]

_COMMANDS = {
    "register": ("flowyard.cli.registry.register:register", "Keep a flow; a new version only when it is new."),
    "list": ("flowyard.cli.registry.look:list_", "List datasets and flows with their newest version."),
    "show": ("flowyard.cli.registry.look:show", "Show the versions of a name, or one of them with its files."),
    "diff": ("flowyard.cli.registry.diff:diff", "Show what changed between two versions, and which metrics moved."),
    "lineage": ("flowyard.cli.registry.look:lineage", "Show what a version came from and what became of it."),
    "checkout": ("flowyard.cli.registry.files:checkout", "Write the files of a version into a folder."),
    "copy": ("flowyard.cli.registry.files:copy", "Give a version, as it is, to another registry."),
    "alias": ("flowyard.cli.registry.alias:alias", "Point names such as production@dev at versions."),
}


@click.group(cls=LazyGroup, places=_COMMANDS)
def registry() -> None:
    """Keep flows and datasets in versions that never change, and what is known of each.

    A version is named NAME:VERSION or NAME@ALIAS; NAME alone is the newest one.
    """
