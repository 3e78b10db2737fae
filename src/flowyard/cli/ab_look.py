"""``flowyard ab status``"""

from __future__ import annotations

import click

from flowyard.cli.ab_options import ab_options, evidence_option, open_test
from flowyard.cli.ab_view import forecast_of, print_forecast, print_tick, tick_code, tick_view
from flowyard.cli.output import print_json

__all__ = ["status"]


@click.command()
@ab_options
@evidence_option
def status(
    path: str, evidence: tuple[str, ...], deployment: str | None, env: str | None, home: str | None, as_json: bool
) -> int:
    """Show what is known of the test of USECASE, what would be decided, and how long it will take. Changes nothing."""
    test = open_test(path, home, evidence, deployment, env)
    found = test.look()
    expected = forecast_of(test.policy, found)
    if as_json:
        print_json({**tick_view(test.policy, found), "forecast": expected})
    else:
        print_tick(test.policy, found)
        print_forecast(expected)
    return tick_code(found)
