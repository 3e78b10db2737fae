"""``flowyard deploy plan``, ``apply`` and ``rollback``"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from flowyard._util.person import person_name
from flowyard.cli.deploy.options import Place, deploy_options, open_place
from flowyard.cli.deploy.parts import chosen_version, earlier_parts, rollout_parts
from flowyard.cli.deploy.view import plan_view, print_plan, rollout_view
from flowyard.cli.release.view import print_end, print_step
from flowyard.cli.shared.output import print_json, print_warnings
from flowyard.deploy.rollout.exported import exported_deployment
from flowyard.deploy.rollout.parts import RolloutParts
from flowyard.deploy.rollout.rollout import RolloutLog, plan_rollout, roll_out

__all__ = ["apply", "carry_out_rollout", "plan", "rollback"]

F = TypeVar("F", bound=Callable[..., Any])


def _version_options(command: F) -> F:
    version = click.option(
        "--version", type=click.IntRange(1), help="The registered version (default: the approved one; else the newest)."
    )
    export = click.option("--export", metavar="DIR", help="Write files for the target's own tools instead.")
    image = click.option("--image", metavar="IMAGE", help="HOST/NAME@sha256:…, when it was built and pushed elsewhere.")
    return version(image(export(command)))


@click.command()
@deploy_options
@_version_options
def plan(
    path: str,
    env: str,
    target: str | None,
    version: int | None,
    image: str | None,
    export: str | None,
    home: str | None,
    as_json: bool,
) -> None:
    """Show what deploying USECASE would change, as a diff; nothing is changed."""
    parts = _parts(open_place(Path(path), env, target, home), version, image, None)
    if export is not None:
        _export(parts, Path(export), as_json=as_json)
        return
    _show_plan(parts, as_json=as_json)


@click.command()
@deploy_options
@_version_options
@click.option("--dry-run", is_flag=True, help="Print the plan as a diff, and change nothing.")
@click.option("--by", metavar="NAME", help="Who deploys (default: who the pipeline or the account says).")
def apply(
    path: str,
    env: str,
    target: str | None,
    version: int | None,
    image: str | None,
    export: str | None,
    dry_run: bool,
    by: str | None,
    home: str | None,
    as_json: bool,
) -> int:
    """Deploy a version of USECASE; when a test fails, what served before serves on.

    When it is stopped, at any step, the same command goes on. Exits 1 when a test failed, 4 when the version is not
    approved, 5 when the target or the endpoint does not answer.
    """
    parts = _parts(open_place(Path(path), env, target, home), version, image, by)
    if export is not None:
        _export(parts, Path(export), as_json=as_json)
        return 0
    if dry_run:
        _show_plan(parts, as_json=as_json)
        return 0
    return carry_out_rollout(parts, open_place(Path(path), env, target, home), as_json=as_json)


@click.command()
@deploy_options
@click.option("--dry-run", is_flag=True, help="Print the plan as a diff, and change nothing.")
@click.option("--by", metavar="NAME", help="Who does it (default: who the pipeline or the account says).")
def rollback(
    path: str, env: str, target: str | None, dry_run: bool, by: str | None, home: str | None, as_json: bool
) -> int:
    """Give the requests back to the version of USECASE that served before, after a test like any other."""
    place = open_place(Path(path), env, target, home)
    parts = earlier_parts(place, by or person_name(place.app.environ))
    if dry_run:
        _show_plan(parts, as_json=as_json)
        return 0
    return carry_out_rollout(parts, place, as_json=as_json)


def carry_out_rollout(parts: RolloutParts, place: Place, *, as_json: bool) -> int:
    """Roll out with the steps on stderr; returns the exit code."""
    where = f"{parts.environment.name} ({parts.target.label})"
    click.echo(f"Deploy {parts.version.label} to {parts.wanted.endpoint}, {where}", err=True)
    print_warnings(parts.target.warnings(parts.wanted))
    log = RolloutLog(place.app.settings.home)
    print_warnings(f"Rollout {each} is damaged and left out." for each in log.damaged(parts.name))
    record = roll_out(parts, log, on_begin=print_step, on_end=print_end)
    state = parts.target.status(parts.wanted.endpoint)
    if as_json:
        print_json(rollout_view(record, state))
    elif state.address and record.state == "done":
        click.echo(f"{state.address}/score")
    return record.exit_code


def _parts(place: Place, version: int | None, image: str | None, by: str | None) -> RolloutParts:
    return rollout_parts(place, chosen_version(place, version), by or person_name(place.app.environ), image)


def _show_plan(parts: RolloutParts, *, as_json: bool) -> None:
    made = plan_rollout(parts)
    print_warnings(made.warnings)
    if as_json:
        print_json(plan_view(made))
        return
    print_plan(made)


def _export(parts: RolloutParts, folder: Path, *, as_json: bool) -> None:
    wanted = exported_deployment(parts)
    files = parts.target.export(wanted, folder)
    if parts.target.needs_image and wanted.image is None:
        label = parts.version.label
        print_warnings(
            [
                f"No image of {label} is named, so these files do not run as they are. Build and push it with "
                f"`flowyard image build --version {label} --push --repository …`, "
                "then export again"
            ]
        )
    if as_json:
        print_json([str(file) for file in files])
        return
    for file in files:
        click.echo(f"Wrote {file}")
