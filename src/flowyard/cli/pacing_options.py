"""Options for how fast models are called and for what a run may cost, and what they mean for its calls."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import click

from flowyard.errors import ExitCode
from flowyard.llm import Connections
from flowyard.llm.pacing import RateLimit, parse_limits
from flowyard.llm.pacing.limits import EVERY_CONNECTION
from flowyard.llm.prices import find_price_files
from flowyard.records import RunRecord
from flowyard.runs.budget import Budget
from flowyard.settings import Settings

__all__ = ["budget_code", "budget_of", "pacing_options", "pacing_rules", "price_folders", "require_known_connections"]

F = TypeVar("F", bound=Callable[..., Any])


def pacing_options(command: F) -> F:
    """``--limits``, ``--prices``, ``--max-cost`` and ``--max-tokens``: ``limits``, ``prices``, ``max_cost``,
    ``max_tokens``.
    """
    options = (
        click.option(
            "--limits",
            multiple=True,
            metavar="CONNECTION=rpm:N,tpm:N",
            help="Requests and tokens a minute; *=… for all.",
        ),
        click.option("--prices", metavar="FILE", help="A table of prices over the one that comes with flowyard."),
        click.option("--max-cost", type=float, metavar="USD", help="Stop, to be resumed, when this much is spent."),
        click.option("--max-tokens", type=int, metavar="N", help="Stop, to be resumed, after so many tokens."),
    )
    for option in reversed(options):
        command = option(command)
    return command


def pacing_rules(
    settings: Settings,
    *,
    limits: tuple[str, ...] = (),
    prices: str | None = None,
    declared: Mapping[str, RateLimit] | None = None,
) -> dict[str, Any]:
    """The fields of CallRules: limits of a file (``declared``) with those of the option over them, and prices.

    Raises UserError.
    """
    return {
        "limits": {**(declared or {}), **parse_limits(limits)},
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


def budget_code(run: RunRecord, budget: Budget) -> ExitCode | None:
    """3 when the budget stopped the run, having said how to go on; None when it did not."""
    if run.status != "canceled" or not budget.is_over:
        return None
    click.echo(f"{budget.reason} To run the rest: flowyard run create --resume-from {run.name}", err=True)
    return ExitCode.GATE_NO


def budget_of(max_cost: float | None, max_tokens: int | None) -> Budget:
    """The budget of the options. Raises UserError."""
    return Budget(max_cost, max_tokens)
