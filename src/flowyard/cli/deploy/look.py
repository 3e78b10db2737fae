"""``flowyard deploy status`` and ``logs``"""

from __future__ import annotations

from pathlib import Path

import click

from flowyard.cli.deploy.options import deploy_options, deployment_option, open_place
from flowyard.cli.deploy.view import print_state, state_view
from flowyard.cli.shared.output import print_json
from flowyard.cli.shared.tables import printable
from flowyard.errors import NotFound

__all__ = ["logs", "status"]


@click.command()
@deploy_options
def status(path: str, env: str, target: str | None, home: str | None, as_json: bool) -> None:
    """Show the endpoint of USECASE, its deployments and which of them gets requests."""
    place = open_place(Path(path), env, target, home)
    state = place.target.status(place.endpoint)
    if as_json:
        print_json({"env": env, "target": place.environment.target, **state_view(state)})
        return
    print_state(state)


@click.command()
@deploy_options
@deployment_option("Which one (default: the one that gets most requests).")
@click.option("--lines", type=click.IntRange(1, 100_000), default=100, show_default=True)
def logs(
    path: str, env: str, target: str | None, deployment: str | None, lines: int, home: str | None, as_json: bool
) -> None:
    """Show the last lines that a deployment of USECASE wrote."""
    place = open_place(Path(path), env, target, home)
    if deployment is None:
        found = place.target.status(place.endpoint).deployments
        if not found:
            raise NotFound(f"{place.endpoint} has no deployment.", hint=f"flowyard deploy apply {path} --env {env}")
        deployment = max(found, key=lambda each: each.traffic).name
    written = place.target.logs(place.endpoint, deployment, lines)
    if as_json:
        print_json({"deployment": deployment, "lines": list(written)})
        return
    for line in written:
        click.echo(printable(line))
