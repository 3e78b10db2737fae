"""``flowyard approval``"""

from __future__ import annotations

import click

from flowyard.cli.lazy import LazyGroup

__all__ = ["approval"]

_COMMANDS = {
    "request": ("flowyard.cli.approval.request:request", "Ask for a version to be deployed to a target."),
    "list": ("flowyard.cli.approval.look:list_", "List what was asked for and what came of it."),
    "show": ("flowyard.cli.approval.look:show", "Show a request with its metrics, gates and answers."),
    "approve": ("flowyard.cli.approval.answer:approve", "Say yes to a request."),
    "reject": ("flowyard.cli.approval.answer:reject", "Say no to a request, or take a yes back."),
    "record": ("flowyard.cli.approval.answer:record", "Write down a decision that was made in a pipeline."),
    "wait": ("flowyard.cli.approval.wait:wait", "Wait for the answers to a request."),
    "require": ("flowyard.cli.approval.wait:require", "Exit with 4 unless a version may be deployed now."),
    "serve": ("flowyard.cli.approval.serve:serve", "Serve the page on which people answer by a link."),
    "link": ("flowyard.cli.approval.serve:link", "Print a link with which one person can answer a request."),
    "verify": ("flowyard.cli.approval.look:verify", "Check that nobody changed the ledger."),
}


@click.group(cls=LazyGroup, places=_COMMANDS)
def approval() -> None:
    """Ask people whether a version may be deployed, answer, and wait for it."""
