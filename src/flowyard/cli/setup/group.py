"""``flowyard setup``"""

from __future__ import annotations

import click

from flowyard.cli.lazy import LazyGroup

__all__ = ["setup"]


@click.group(
    cls=LazyGroup,
    places={
        "github": ("flowyard.cli.setup.github:github", "Print what sets a repository on GitHub up."),
        "azure-devops": ("flowyard.cli.setup.azure_devops:azure_devops", "Print what sets an Azure DevOps project up."),
    },
)
def setup() -> None:
    """Print the commands that lead from nothing to the first deployment, with your names; nothing is run."""
