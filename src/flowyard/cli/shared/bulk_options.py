"""Options of commands that run many lines: how many at once, where, and for how long."""

from __future__ import annotations

from typing import Any

import click

from flowyard.cli.shared.option_groups import Command, grouped

__all__ = ["ConcurrencyType", "bulk_options"]


class ConcurrencyType(click.ParamType):  # type: ignore[type-arg]
    """A number of lines, or ``auto``, which is None."""

    name = "N|auto"
    _most = 4096

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int | None:
        if value == "auto" or value is None:
            return None
        if str(value).isdecimal() and 1 <= int(value) <= self._most:
            return int(value)
        self.fail(f"{value!r} is neither auto nor a whole number from 1 to {self._most}.", param, ctx)


def bulk_options(command: Command) -> Command:
    """``--concurrency``, ``--workers`` and ``--line-timeout``."""
    return grouped(
        command,
        click.option(
            "--concurrency",
            type=ConcurrencyType(),
            default="16",
            show_default=True,
            help="Lines at once; auto finds the best number while it runs.",
        ),
        click.option(
            "--workers",
            type=click.IntRange(1, 256),
            default=1,
            show_default=True,
            help="Processes that share the lines.",
        ),
        click.option(
            "--line-timeout",
            type=click.FloatRange(min=0, min_open=True),
            metavar="SECONDS",
            help="Give up a line that takes longer; it counts as failed.",
        ),
    )
