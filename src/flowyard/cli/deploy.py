"""``flowyard deploy``"""

from __future__ import annotations

import click

from flowyard.cli.lazy import LazyGroup

__all__ = ["deploy"]


@click.group(
    cls=LazyGroup,
    places={
        "plan": ("flowyard.cli.deploy_apply:plan", "Show what a deployment would change."),
        "apply": ("flowyard.cli.deploy_apply:apply", "Deploy a version: create, test alone, shift requests, verify."),
        "rollback": ("flowyard.cli.deploy_apply:rollback", "Give the requests to the version that served before."),
        "status": ("flowyard.cli.deploy_look:status", "Show what serves."),
        "traffic": ("flowyard.cli.deploy_traffic:traffic", "Show, or set, which version gets which share."),
        "logs": ("flowyard.cli.deploy_look:logs", "Show what a deployment wrote."),
        "remove": ("flowyard.cli.deploy_remove:remove", "Take an endpoint, or one deployment, away."),
    },
)
def deploy() -> None:
    """Bring an approved version to where it is served; deployment.yaml says where that is."""
