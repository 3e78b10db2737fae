"""Tests of two versions on the terminal and for machines."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import click

from flowyard._util.moments import moment_text
from flowyard._util.numbers import percent_text
from flowyard.ab.decision.decide import Decision, DecisionState
from flowyard.ab.decision.guardrails import GuardrailFinding
from flowyard.ab.forecast.forecast import Forecast, Plan, forecast
from flowyard.ab.page import METHODS
from flowyard.ab.policy.model import AbPolicy
from flowyard.ab.promotion import decision_view
from flowyard.ab.ramp import RampState
from flowyard.ab.run import Standing, Tick
from flowyard.cli.shared.tables import print_table, printable
from flowyard.errors import ExitCode

__all__ = [
    "forecast_of",
    "plan_view",
    "print_forecast",
    "print_plan",
    "print_ramp",
    "print_tick",
    "ramp_view",
    "tick_code",
    "tick_view",
]


def tick_view(policy: AbPolicy, tick: Tick) -> dict[str, Any]:
    """What machines get of a look at a test."""
    return {
        "name": policy.name,
        **decision_view(tick.decision),
        "ramp": ramp_view(tick.ramp),
        "moved_to": tick.move.share if tick.move else None,
        "approval": asdict(tick.standing) if tick.standing else None,
    }


def ramp_view(ramp: RampState) -> dict[str, Any]:
    """What machines get of a ramp."""
    return {
        "started_at": ramp.started_at.isoformat() if ramp.started_at else None,
        "share": ramp.share,
        "step": ramp.step + 1,
        "since": ramp.since.isoformat() if ramp.since else None,
        "end": ramp.end,
        "reason": ramp.reason,
    }


def plan_view(planned: Plan) -> dict[str, Any]:
    """What machines get of a plan."""
    return asdict(planned)


def tick_code(tick: Tick) -> int:
    """The exit code: how it ended, or else what was decided."""
    if tick.ramp.end is not None:
        return ExitCode.DONE if tick.ramp.end == "promote" else ExitCode.GATE_NO
    if tick.decision.holds_back:
        return ExitCode.GATE_NO
    waits = tick.standing is not None and tick.standing.request is not None and not tick.standing.allowed
    return ExitCode.NOT_APPROVED if waits or tick.decision.state is DecisionState.NEEDS_HUMAN else ExitCode.DONE


def forecast_of(policy: AbPolicy, tick: Tick) -> Forecast:
    """What is to be expected at the present split and traffic."""
    decision = tick.decision
    until = decision.until or decision.since
    days = (until - decision.since).total_seconds() / 86400
    return forecast(policy, decision.epochs, days, tick.ramp.share / 100)


def print_tick(policy: AbPolicy, tick: Tick) -> None:
    """A decision with all that it was decided on."""
    decision = tick.decision
    click.secho(f"{policy.name}: {_headline(tick)}", bold=True)
    for reason in decision.reasons:
        width = min(100, shutil.get_terminal_size().columns)
        click.echo(textwrap.fill(printable(reason), width, initial_indent="  ", subsequent_indent="  "))
    if tick.standing is not None and tick.ramp.end is None:
        _print_standing(tick.standing)
    if decision.until is None:
        _print_fact("Seen", f"nothing yet of the experiment {policy.experiment}: flowyard monitor collect FOLDER")
    else:
        seen = f"{moment_text(decision.since)} to {moment_text(decision.until)}"
        _print_fact("Seen", f"{seen}, counted by {decision.unit}, {METHODS[decision.primary.method]}")
    if decision.simulated:
        _print_fact("Not real", f"{decision.simulated:,} requests, which a simulated model answered or judged")
    if decision.left_out:
        _print_fact("Left out", f"{decision.left_out:,} requests near a change of the split")
    print_ramp(policy, tick.ramp)
    if decision.until is None:
        return
    _print_primary(policy, decision)
    print_table(["epoch", "from (UTC)", "treatment's share", "control units", "treatment units"], _epochs(decision))
    click.echo(f"Sample ratio: p {decision.sample_ratio_p_value:.2g} (invalid at {policy.srm_alpha:g})")
    if decision.guardrails:
        print_table(["guardrail", "limit", "control", "treatment", "p", "breached at"], map(_row, decision.guardrails))


def _print_standing(standing: Standing) -> None:
    """What came of the question whether it may be promoted, and what is to be done."""
    if standing.request is None:
        if not standing.allowed:
            _print_fact("Approval", standing.why)
        return
    then = " The next flowyard ab decide promotes it." if standing.allowed else ""
    _print_fact("Approval", f"{standing.request}: {standing.why}{then}")
    if standing.is_pending:
        for answer in ("approve", "reject"):
            click.echo(f"{'':<10}flowyard approval {answer} {standing.request} --reason …")


def _headline(tick: Tick) -> str:
    """What was decided; of a test that has ended, how."""
    decided = f"{tick.decision.state} ({tick.decision.rule})"
    return decided if tick.ramp.end in (None, str(tick.decision.state)) else f"ended ({tick.ramp.end}); now {decided}"


def print_ramp(policy: AbPolicy, ramp: RampState) -> None:
    """The share, and how it ended."""
    if ramp.since is None:
        _print_fact("Split", "not set yet; the same flowyard ab start goes on")
        return
    ended = f", ended: {ramp.end}" if ramp.end else f", step {ramp.step + 1} of {len(policy.ramp)}"
    since = f" since {moment_text(ramp.since)}" if ramp.since else ""
    why = f", {ramp.reason}" if ramp.end else ""
    _print_fact("Split", f"{policy.treatment} has {ramp.share} % of the requests{since}{ended}{why}")


def print_plan(policy: AbPolicy, plans: Sequence[Plan], units_per_day: float | None) -> None:
    """How many units it takes, by step of the ramp, and how many days if the traffic is known."""
    if all(each.units is None for each in plans):
        _print_fact("Plan", "unknown: primary has no 'expected' and 'smallest' (for a field also 'spread')")
        return
    if units_per_day is None:
        _print_fact("Traffic", "unknown before there are records of it: flowyard monitor collect FOLDER")
    else:
        _print_fact("Traffic", f"{units_per_day:,.0f} units with an outcome a day, in the last 7 days")
    what = f"{policy.unit}s in all for a difference of {policy.primary.smallest:g}, with a chance of 80 % or more"
    _print_fact("Plan", what)
    rows = [
        (percent_text(each.share), _count(each.units), _days(each.days), _count(each.units_one_look)) for each in plans
    ]
    print_table(["treatment's share", "this test", "days", "a test with one look"], rows)


def print_forecast(expected: Forecast) -> None:
    """What is to be expected."""
    if expected.units_per_day is None:
        return
    _print_fact("Traffic", f"{expected.units_per_day:,.0f} units with an outcome a day")
    if expected.difference is not None:
        _print_fact("Left", f"{_left(expected)} for a difference of {expected.difference:g}, at this traffic and split")
    if expected.detectable is not None:
        _print_fact("Shows", f"a difference of {expected.detectable:.3f} by max_duration, with a chance of 80 %")


def _left(expected: Forecast) -> str:
    if expected.days_left is None:
        return "more than can be said"
    return f"about {expected.days_left:.1f} days" if expected.units_left else "nothing"


def _days(days: float | None) -> str:
    return "" if days is None else f"{days:,.1f}"


def _print_fact(name: str, text: str) -> None:
    """A line that begins with its name, folded where the terminal ends."""
    width = min(100, shutil.get_terminal_size().columns)
    click.echo(textwrap.fill(printable(text), width, initial_indent=f"{name + ':':<10}", subsequent_indent=" " * 10))


def _print_primary(policy: AbPolicy, decision: Decision) -> None:
    primary = decision.primary
    interval = "not yet" if primary.interval is None else f"{primary.interval.low:+.4f} to {primary.interval.high:+.4f}"
    row = (primary.control, primary.treatment, primary.difference, interval, primary.p_value)
    columns = ["control", "treatment", "difference", "interval", "p"]
    click.echo(f"{printable(policy.primary.label)}, by {policy.unit}")
    print_table(columns, [row])


def _epochs(decision: Decision) -> list[tuple[object, ...]]:
    return [
        (
            each.number,
            each.at.strftime("%Y-%m-%d %H:%M"),
            percent_text(each.share),
            each.control.units,
            each.treatment.units,
        )
        for each in decision.epochs
    ]


def _row(found: GuardrailFinding) -> tuple[object, ...]:
    limit = f"{found.value:g}" if found.limit == "most" else f"{found.value:g} × control"
    return found.metric, limit, found.control, found.treatment, found.p_value, f"p ≤ {found.alpha:.2g}"


def _count(units: int | None) -> str:
    return "over 10 million" if units is None else f"{units:,}"
