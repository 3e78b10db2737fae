"""``flowyard ab status``"""

from __future__ import annotations

from pathlib import Path

import click

from flowyard._util.files import write_atomic
from flowyard.ab.page import render_ab_page
from flowyard.cli.ab.options import ab_options, evidence_option, open_test
from flowyard.cli.ab.view import forecast_of, print_forecast, print_tick, tick_code, tick_view
from flowyard.cli.shared.output import print_json

__all__ = ["status"]


@click.command()
@ab_options
@evidence_option
@click.option("--html", type=click.Path(path_type=Path), metavar="FILE", help="Also write a page with pictures there.")
def status(
    path: str,
    evidence: tuple[str, ...],
    html: Path | None,
    deployment: str | None,
    env: str | None,
    home: str | None,
    as_json: bool,
) -> int:
    """Show what is known of the test of USECASE, what would be decided, and how long it will take. Changes nothing."""
    test = open_test(path, home, evidence, deployment, env)
    found = test.look()
    expected = forecast_of(test.policy, found)
    if html is not None:
        html.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(html, render_ab_page(test.policy, found, test.seen(), expected, test.clock()))
    if as_json:
        print_json({**tick_view(test.policy, found), "forecast": expected})
    else:
        print_tick(test.policy, found)
        print_forecast(expected)
        if html is not None:
            click.echo(f"Wrote {html}")
    return tick_code(found)
