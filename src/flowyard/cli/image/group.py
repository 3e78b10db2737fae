"""``flowyard image``"""

from __future__ import annotations

import click

from flowyard.cli.lazy import LazyGroup

__all__ = ["image"]


@click.group(
    cls=LazyGroup,
    places={
        "build": ("flowyard.cli.image.build:build", "Build the image of a registered version."),
        "list": ("flowyard.cli.image.look:list_", "List the images that were built here."),
        "show": ("flowyard.cli.image.look:show", "Show one image, and what is in it."),
    },
)
def image() -> None:
    """Build images of registered flows, and look at them."""
