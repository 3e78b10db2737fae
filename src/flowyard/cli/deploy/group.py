"""``flowyard deploy``"""

from __future__ import annotations

import click

from flowyard.cli.lazy import LazyGroup

__all__ = ["deploy"]


@click.group(
    cls=LazyGroup,
    places={
        "plan": ("flowyard.cli.deploy.apply:plan", "Show what a deployment would change."),
        "apply": ("flowyard.cli.deploy.apply:apply", "Deploy a version: create, test alone, shift requests, verify."),
        "rollback": ("flowyard.cli.deploy.apply:rollback", "Give the requests to the version that served before."),
        "status": ("flowyard.cli.deploy.look:status", "Show what serves."),
        "traffic": ("flowyard.cli.deploy.traffic:traffic", "Show, or set, which version gets which share."),
        "logs": ("flowyard.cli.deploy.look:logs", "Show what a deployment wrote."),
        "remove": ("flowyard.cli.deploy.remove:remove", "Take an endpoint, or one deployment, away."),
    },
)
def deploy() -> None:
    """Bring an approved version to where it is served; deployment.yaml says where that is."""
