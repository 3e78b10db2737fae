"""``flowyard azure``"""

from __future__ import annotations

import click

from flowyard.cli.lazy import LazyGroup

__all__ = ["azure"]


@click.group(
    cls=LazyGroup,
    places={
        "doctor": (
            "flowyard.cli.azure.doctor:doctor",
            "Look at an account: what is there, what is missing, what to do.",
        ),
        "setup": ("flowyard.cli.azure.setup:setup", "Print the commands that set up logins, roles and connections."),
    },
)
def azure() -> None:
    """Check what Azure needs for serving flows, and print the commands that set it up."""
