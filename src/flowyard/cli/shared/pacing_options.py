"""Options for how fast models are called and for what a run may cost, and what they mean for its calls."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import click

from flowyard.cli.shared.option_groups import Command, grouped
from flowyard.errors import ExitCode
from flowyard.llm import Connections
from flowyard.llm.pacing import RateLimit, parse_limits
from flowyard.llm.pacing.limits import EVERY_CONNECTION
from flowyard.llm.prices import find_price_files
from flowyard.records import RunRecord
from flowyard.runs.budget import Budget
from flowyard.settings import Settings

__all__ = ["budget_code", "pacing_options", "pacing_rules", "price_folders", "require_known_connections"]


def pacing_options(command: Command) -> Command:
    """``--limits``, ``--prices``, ``--max-cost`` and ``--max-tokens``."""
    return grouped(
        command,
        click.option(
            "--limits",
            multiple=True,
            metavar="CONNECTION=rpm:N,tpm:N",
            help="Requests and tokens a minute; *=… for all connections.",
        ),
        click.option("--prices", metavar="FILE", help="A table of prices over the one that comes with flowyard."),
        click.option("--max-cost", type=float, metavar="USD", help="Stop, to be resumed, when this much is spent."),
        click.option("--max-tokens", type=int, metavar="N", help="Stop, to be resumed, after so many tokens."),
    )


def pacing_rules(
    settings: Settings,
    *,
    limits: tuple[str, ...] = (),
    prices: str | None = None,
    declared: Mapping[str, RateLimit] | None = None,
) -> dict[str, Any]:
    """The fields of CallRules: limits of a file (``declared``) with those of the option over them, and prices.

    The pace file is one for all commands with the same home, so that they share the limits. Raises UserError.
    """
    return {
        "limits": {**(declared or {}), **parse_limits(limits)},
        "pace_file": settings.home / "pace" / "connections",
        "price_files": find_price_files(price_folders(settings), Path(prices) if prices else None),
    }


def price_folders(settings: Settings) -> tuple[Path, ...]:
    """Where a user's table of prices is looked for, the nearest first."""
    return (settings.project, settings.home, settings.user)


def require_known_connections(limits: Mapping[str, RateLimit], connections: Connections) -> None:
    """Raises ConnectionMissing for a limit of a connection that nobody knows, which would hold nothing back."""
    for name in limits:
        if name != EVERY_CONNECTION:
            connections.get(name, needed_by="A limit")


def budget_code(runs: Iterable[RunRecord], budget: Budget, *, planned: int = 0) -> ExitCode | None:
    """3 when the budget stopped a run, or kept one of those ``planned`` from being made; None when it did neither.

    Says how to go on.
    """
    made = list(runs)
    stopped = [run.name for run in made if run.status == "canceled"]
    missing = planned - len(made)
    if not budget.is_over or not (stopped or missing > 0):
        return None
    click.echo(budget.reason, err=True)
    for name in stopped:
        click.echo(f"To run the rest: flowyard run resume {name}", err=True)
    if missing > 0:
        click.echo(f"{missing:,} more of {planned:,} runs were not made.", err=True)
    return ExitCode.GATE_NO
