"""``flowyard deploy traffic``"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from flowyard._util.person import person_name
from flowyard.abc import TrafficPlatform
from flowyard.cli.deploy.options import Place, deploy_options, open_place
from flowyard.cli.deploy.parts import traffic_parts
from flowyard.cli.deploy.view import print_state, state_view
from flowyard.cli.release.view import print_end, print_step
from flowyard.cli.shared.output import print_json, print_warnings
from flowyard.cli.shared.tables import printable
from flowyard.deploy.journals import TrafficRecord
from flowyard.deploy.model import Traffic
from flowyard.deploy.traffic.change import change_traffic, require_platform, wanted_traffic
from flowyard.errors import Conflict, NotFound, UserError

__all__ = ["traffic"]

_PERCENT = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]{0,99})=(\d{1,3})%?")


@click.command()
@deploy_options
@click.option(
    "--set", "shares", multiple=True, metavar="VERSION=PERCENT", help="Its share; who is not named gets none."
)
@click.option("--mirror", multiple=True, metavar="VERSION=PERCENT", help="The percent of requests it gets copies of.")
@click.option("--reason", default="", help="Why, for the journal.")
@click.option("--by", metavar="NAME", help="Who changes it (default: your account and the e-mail that git knows).")
def traffic(
    path: str,
    env: str,
    target: str | None,
    shares: tuple[str, ...],
    mirror: tuple[str, ...],
    reason: str,
    by: str | None,
    home: str | None,
    as_json: bool,
) -> int:
    """Show which version of USECASE gets which share of the requests, or set that where the platform splits them."""
    place = open_place(Path(path), env, target, home)
    record = None
    if shares or mirror:
        parts = traffic_parts(place, by or person_name(place.app.environ))
        state, wanted = wanted_traffic(parts, _percents("--set", shares), _percents("--mirror", mirror))
        print_warnings(f"Journal {each} is damaged and left out." for each in parts.log.traffic.damaged(parts.name))
        record = change_traffic(parts, state, wanted, reason, on_begin=print_step, on_end=print_end)
    _show(path, place, record, as_json=as_json)
    return record.exit_code if record is not None else 0


def _percents(option: str, given: tuple[str, ...]) -> Mapping[str, int] | None:
    """``VERSION=PERCENT`` several times, also with commas between; None when there is none. Raises UserError."""
    if not given:
        return None
    found: dict[str, int] = {}
    for word in [part for each in given for part in each.split(",")]:
        match = _PERCENT.fullmatch(word.strip())
        if match is None or int(match[2]) > 100:
            raise UserError(f"{option} takes VERSION=PERCENT, up to 100.", hint=f"{option} 3=90")
        if match[1] in found:
            raise UserError(f"{option} names {match[1]} twice.")
        found[match[1]] = int(match[2])
    return found


def _show(path: str, place: Place, record: TrafficRecord | None, *, as_json: bool) -> None:
    state = place.target.status(place.endpoint)
    if not state.deployments:
        hint = f"flowyard deploy apply {path} --env {place.environment.name}"
        raise NotFound(f"Nothing is deployed at {state.endpoint}, so nothing gets requests.", hint=hint)
    now = _now(place)
    if as_json:
        made = {"env": place.environment.name, "target": place.environment.target, **state_view(state)}
        print_json({**made, "mirror": dict(now.mirror), "change": _change_view(record) if record else None})
        return
    print_state(state)
    for name, percent in now.mirror.items():
        click.echo(f"Copies of {percent} % of the requests go to {printable(name)}.")


def _now(place: Place) -> Traffic:
    if not isinstance(place.target, TrafficPlatform):
        return Traffic()
    try:
        return require_platform(place.target).traffic(place.endpoint)
    except (NotFound, Conflict):
        return Traffic()


def _change_view(record: TrafficRecord) -> dict[str, Any]:
    return {
        "key": record.key,
        "by": record.by,
        "state": record.state,
        "exit_code": record.exit_code,
        "steps": [{"name": step.name, "state": step.state, "said": step.said} for step in record.steps],
    }
