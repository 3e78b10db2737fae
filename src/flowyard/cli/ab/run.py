"""``flowyard ab start``, ``decide`` and ``stop``"""

from __future__ import annotations

from pathlib import Path

import click

from flowyard._util.person import person_name
from flowyard.ab.forecast.forecast import plan
from flowyard.ab.forecast.traffic import units_per_day
from flowyard.cli.ab.options import ab_options, evidence_option, open_test
from flowyard.cli.ab.view import plan_view, print_plan, print_ramp, print_tick, ramp_view, tick_code, tick_view
from flowyard.cli.ab.watch import Every, collecting, until_ended
from flowyard.cli.shared.options import read_settings
from flowyard.cli.shared.output import print_json
from flowyard.errors import UserError
from flowyard.production.store.store import open_production

__all__ = ["decide_", "start", "stop"]


@click.command()
@ab_options
@click.option("--plan", "only_plan", is_flag=True, help="Show how long it will take, and begin nothing.")
@click.option("--by", metavar="NAME", help="Who begins it (default: your account and the e-mail that git knows).")
def start(
    path: str,
    only_plan: bool,
    by: str | None,
    deployment: str | None,
    env: str | None,
    home: str | None,
    as_json: bool,
) -> None:
    """Begin the test in ab.yaml of USECASE: the treatment gets the first share of the ramp."""
    test = open_test(path, home, (), deployment, env)
    traffic = units_per_day(test.policy, test.evidence, test.clock())
    plans = [plan(test.policy, step.share / 100, traffic) for step in test.policy.ramp]
    ramp = None if only_plan else test.start(by or person_name(read_settings(home).environ))
    if as_json:
        view = ramp_view(ramp) if ramp else None
        planned = [plan_view(each) for each in plans]
        print_json({"name": test.policy.name, "units_per_day": traffic, "plan": planned, "ramp": view})
        return
    print_plan(test.policy, plans, traffic)
    if ramp:
        print_ramp(test.policy, ramp)


@click.command("decide")
@ab_options
@evidence_option
@click.option(
    "--collect",
    "folders",
    multiple=True,
    metavar="FOLDER",
    type=click.Path(path_type=Path),
    help="Before each look, take what is new in this folder of records into the store. Repeatable.",
)
@click.option(
    "--every", "every_s", type=Every(), help="Look again after so many seconds (or 60s, 5m) until it has ended."
)
def decide_(
    path: str,
    evidence: tuple[str, ...],
    folders: tuple[Path, ...],
    every_s: float | None,
    deployment: str | None,
    env: str | None,
    home: str | None,
    as_json: bool,
) -> int:
    """Decide by what is known and set the split: one step of the ramp, all or nothing.

    Exits with 0 to go on or after a promotion, 3 after a rollback or when the test is invalid, 4 when a person has to
    decide. With --every it goes on until the test has ended; it may be stopped and started again at any time.
    """
    if evidence and folders:
        raise UserError("Records come from files or from the store.", hint="Leave out --evidence or --collect.")
    test = open_test(path, home, evidence, deployment, env)
    tick = collecting(test, folders, lambda: open_production(read_settings(home)))
    found = tick() if every_s is None else until_ended(tick, every_s)
    if as_json:
        print_json(tick_view(test.policy, found))
    else:
        print_tick(test.policy, found)
    return tick_code(found)


@click.command()
@ab_options
@click.option("--reason", required=True, help="Why, for the journal.")
def stop(path: str, reason: str, deployment: str | None, env: str | None, home: str | None, as_json: bool) -> None:
    """End the test of USECASE: the treatment gets no more requests. One that has ended stays as it is."""
    test = open_test(path, home, (), deployment, env)
    ramp = test.stop(reason)
    if as_json:
        print_json({"name": test.policy.name, "ramp": ramp_view(ramp)})
        return
    print_ramp(test.policy, ramp)
