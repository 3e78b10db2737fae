"""``flowyard ab start``, ``decide`` and ``stop``"""

from __future__ import annotations

import time

import click

from flowyard._util.person import person_name
from flowyard.ab.forecast import plan
from flowyard.ab.run import Test, Tick
from flowyard.cli.ab_options import ab_options, evidence_option, open_test
from flowyard.cli.ab_view import plan_view, print_plan, print_ramp, print_tick, ramp_view, tick_code, tick_view
from flowyard.cli.options import read_settings
from flowyard.cli.output import print_json
from flowyard.errors import OutsideError

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
    plans = [plan(test.policy, step.share / 100) for step in test.policy.ramp]
    ramp = None if only_plan else test.start(by or person_name(read_settings(home).environ))
    if as_json:
        view = ramp_view(ramp) if ramp else None
        print_json({"name": test.policy.name, "plan": [plan_view(each) for each in plans], "ramp": view})
        return
    print_plan(test.policy, plans)
    if ramp:
        print_ramp(test.policy, ramp)


@click.command("decide")
@ab_options
@evidence_option
@click.option("--every", "every_s", type=click.FloatRange(0, min_open=True), metavar="S", help="Again after S seconds.")
def decide_(
    path: str,
    evidence: tuple[str, ...],
    every_s: float | None,
    deployment: str | None,
    env: str | None,
    home: str | None,
    as_json: bool,
) -> int:
    """Decide by what is known and set the split: one step of the ramp, all or nothing.

    Exits with 0 to go on or after a promotion, 3 after a rollback or when the test is invalid, 4 when a person has to
    decide. With --every it goes on until the test has ended.
    """
    test = open_test(path, home, evidence, deployment, env)
    found = test.tick() if every_s is None else _until_ended(test, every_s)
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


def _until_ended(test: Test, every_s: float) -> Tick:
    """Look again and again; what fails outside, such as a gateway that restarts, is tried again."""
    said = None
    while True:
        try:
            found = test.tick()
        except OutsideError as error:
            click.echo(f"Tried again in {every_s:g} s: {error.message}", err=True)
        else:
            if found.ramp.end is not None:
                return found
            if said != (now := (found.decision.state, found.decision.rule, found.ramp.share)):
                said = now
                click.echo(f"{found.decision.state} ({found.decision.rule}), {found.ramp.share} %", err=True)
        time.sleep(every_s)
