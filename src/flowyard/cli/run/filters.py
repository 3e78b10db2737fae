"""Options that say which runs a list has."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar, get_args

import click

from flowyard._util.durations import parse_age
from flowyard.cli.shared.options import pairs
from flowyard.errors import UserError
from flowyard.records import RunQuery, RunStatus

__all__ = ["filter_options", "run_query"]

F = TypeVar("F", bound=Callable[..., Any])


def filter_options(command: F) -> F:
    """What ``run_query`` reads."""
    for option in (
        click.option("--since", metavar="TIME", help="Made at or after this time (UTC): 2024-05-31, or 30m, 12h, 7d."),
        click.option("--name", "pattern", metavar="GLOB", help="Names like this; * is any text and ? one character."),
        click.option("--tag", "tags", multiple=True, metavar="k=v", help="With this tag; may be given again."),
        click.option("--flow", metavar="PATH|NAME", help="Of this flow: its folder or file, or the name of either."),
        click.option("--status", type=click.Choice(get_args(RunStatus)), help="That are at this now."),
    ):
        command = option(command)
    return command


def run_query(
    *,
    status: RunStatus | None,
    flow: str | None,
    tags: Sequence[str],
    pattern: str | None,
    since: str | None,
    **more: Any,
) -> RunQuery:
    """The query of these options; ``more`` are further fields. Raises UserError."""
    return RunQuery(
        status=status,
        flow=_flow(flow),
        tags=pairs(tags, "--tag"),
        name=pattern,
        since=_since(since, datetime.now(UTC)),
        **more,
    )


def _flow(text: str | None) -> str | None:
    """A path that is there as records have it; otherwise it is a name, or a flow that is gone."""
    if text is None or not Path(text).exists():
        return text
    return str(Path(text).resolve())


def _since(text: str | None, now: datetime) -> str | None:
    if text is None:
        return None
    age = parse_age(text)
    try:
        if age is not None:
            return (now - age).isoformat()
        return datetime.fromisoformat(text).isoformat()
    except (ValueError, OverflowError):
        raise UserError(
            f"--since: {text!r} is no time.", hint="Write 2024-05-31, 2024-05-31T14:00, or an age: 30m, 12h, 7d."
        ) from None
