"""``flowyard ab init``"""

from __future__ import annotations

import os
import secrets
from pathlib import Path, PurePosixPath

import click

from flowyard.ab.policy.file import AB_FILE
from flowyard.ab.policy.new_files import GATEWAY_FILE, KEY_VARIABLE, NewArm, new_test_files
from flowyard.cli.deploy.options import Place, open_place
from flowyard.cli.shared.options import store_options
from flowyard.cli.shared.output import print_json, print_warnings
from flowyard.deploy.targets.switch.behind_switch import free_ports
from flowyard.errors import NotFound, UserError
from flowyard.scaffold.whole_files import place_files
from flowyard.settings import project_root

__all__ = ["init"]

_RECORDS = "FLOWYARD_SERVE_RECORDS"


@click.command()
@click.argument("path", metavar="USECASE", type=click.Path(path_type=Path, file_okay=False))
@click.option("--control", required=True, metavar="ENV", help="The environment whose version serves now.")
@click.option("--treatment", required=True, metavar="ENV", help="The environment with the version that may be better.")
@click.option("--force", is_flag=True, help=f"Overwrite {GATEWAY_FILE} and {AB_FILE}.")
@store_options
def init(path: Path, control: str, treatment: str, force: bool, home: str | None, as_json: bool) -> None:
    """Write gateway.yaml and ab.yaml of USECASE: a test of what serves in two of its environments.

    A key of the gateway is drawn and kept in .env, unless there is one.
    """
    if control == treatment:
        raise UserError("Two environments are compared.", hint="--control dev --treatment test")
    places = [open_place(path, env, None, home) for env in (control, treatment)]
    arms = [_arm(place) for place in places]
    home_folder = places[0].app.settings.home
    exposures = Path(os.path.relpath(home_folder.resolve() / "records", path.resolve())).as_posix()
    ports = free_ports(2)
    files = new_test_files(places[0].name, arms[0], arms[1], (ports[0], ports[1]), exposures)
    placed = {PurePosixPath(name): content for name, content in files.items()}
    written = place_files(path, placed, list(files) if force else (), hint="To have both written anew: --force")
    written += _with_key(places[0])
    print_warnings(_warnings(places, arms))
    address = f"http://127.0.0.1:{ports[0]}"
    if as_json:
        facts = {"control": arms[0], "treatment": arms[1]}
        view = {role: {"env": arm.name, "url": arm.url, "version": arm.version} for role, arm in facts.items()}
        print_json({"name": places[0].name, "address": address, **view, "files": list(map(str, written))})
        return
    for file in written:
        click.echo(f"Wrote {file}")
    click.echo(f"{arms[0].version} ({control}) against {arms[1].version} ({treatment}), behind {address}")
    click.echo(f"Next: flowyard gateway serve --config {path / GATEWAY_FILE}")
    click.echo(f"Next: flowyard ab start {path}")


def _arm(place: Place) -> NewArm:
    """What serves in an environment, under its name. Raises NotFound when nothing does."""
    env = place.environment.name
    state = place.target.status(place.endpoint)
    serving = max(state.deployments, key=lambda each: each.traffic, default=None)
    if serving is None or not serving.traffic or not state.address:
        raise NotFound(f"Nothing serves in {env}.", hint=f"flowyard release {place.path} --env {env}")
    return NewArm(env, state.address, serving.version_label)


def _with_key(place: Place) -> list[Path]:
    """Keep a new key in the repository's ``.env`` where none is set; gives the files that were written."""
    if place.app.environ.get(KEY_VARIABLE):
        return []
    near = place.path.resolve()
    file = (project_root(near) or near) / ".env"
    before = file.read_bytes() if file.is_file() else b""
    line = f"{KEY_VARIABLE}={secrets.token_urlsafe(24)}\n"
    if not before:
        file.touch(mode=0o600)
    with file.open("ab") as stream:
        stream.write((line if before.endswith(b"\n") or not before else f"\n{line}").encode())
    return [file]


def _warnings(places: list[Place], arms: list[NewArm]) -> list[str]:
    found = [
        f"{place.environment.where}: {place.environment.name} keeps no records, so that its feedback is not counted."
        f" In deployment.yaml: env: {{{_RECORDS}: records}}"
        for place in places
        if _RECORDS not in place.environment.variables
    ]
    if arms[0].version == arms[1].version:
        found.append(f"{arms[0].version} serves in both environments: nothing is compared but the gateway's split.")
    return found
