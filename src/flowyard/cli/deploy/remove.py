"""``flowyard deploy remove``"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from flowyard._util.person import person_name
from flowyard.cli.deploy.options import deploy_options, deployment_option, open_place
from flowyard.cli.deploy.view import print_state, state_view
from flowyard.cli.shared.output import print_json
from flowyard.deploy.journals import RolloutLog
from flowyard.deploy.names import require_deployment_name
from flowyard.registry.model import AliasChange
from flowyard.registry.open import open_registry

__all__ = ["remove"]


@click.command()
@deploy_options
@deployment_option("Only this one, which must get no requests.")
@click.option("--dry-run", is_flag=True, help="Show what would be removed.")
def remove(
    path: str, env: str, target: str | None, deployment: str | None, dry_run: bool, home: str | None, as_json: bool
) -> None:
    """Take the endpoint of USECASE away with all its deployments; requests that it has begun are finished."""
    place = open_place(Path(path), env, target, home)
    if deployment is not None:
        require_deployment_name(deployment)  # the empty one of an unset variable, say, leads to all of them
    if not dry_run:
        with RolloutLog(place.app.settings.home).alone(place.name, env):
            place.target.remove(place.endpoint, deployment)
        registry, alias = open_registry(place.app.settings), f"production@{env}"
        if deployment is None and alias in registry.aliases(place.name, "flow"):
            now = datetime.now(UTC).isoformat(timespec="seconds")
            change = AliasChange(alias, None, person_name(place.app.environ), "removed", now)
            registry.move_alias(place.name, change, "flow")
    state = place.target.status(place.endpoint)
    if as_json:
        print_json({"env": env, "target": place.environment.target, **state_view(state)})
        return
    if dry_run or deployment is not None or state.deployments:
        print_state(state)
    else:
        click.echo(f"{state.endpoint}: nothing is deployed any more")
