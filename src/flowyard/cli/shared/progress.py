"""Live progress on stderr: a bar where there is a terminal, a few plain lines where there is none."""

from __future__ import annotations

import sys
import time

import click

from flowyard.cli.shared.output import print_warnings, summary_line
from flowyard.records import LineResult, RunRecord
from flowyard.runs.execution import Progress
from flowyard.sessions.session import FinishedLine

__all__ = ["LineProgress", "SilentProgress", "choose_progress"]

_EVERY_S = 10.0


class SilentProgress:
    """Shows nothing."""

    def start(self, run: RunRecord, total: int) -> None:
        """Nothing."""

    def line(self, line: FinishedLine) -> None:
        """Nothing."""

    def end(self, run: RunRecord) -> None:
        """Nothing."""


class LineProgress:
    """One line when a run starts, one every ten seconds, one when it ends; ``each`` prints every finished line."""

    def __init__(self, *, each: bool = False) -> None:
        self._each = each
        self._total = self._done = 0
        self._next_s = 0.0
        self._told = 0

    def start(self, run: RunRecord, total: int) -> None:
        self._total, self._done = total, 0
        self._next_s = time.monotonic() + _EVERY_S
        print_warnings(run.warnings)
        self._told = len(run.warnings)
        click.echo(f"{run.name}: {total} lines", err=True)

    def line(self, line: FinishedLine | LineResult) -> None:
        self._done += 1
        if self._each:
            why = f"  {line.error.type}: {line.error.message}" if line.error else ""
            click.echo(f"  line {line.line_number} {line.status} in {line.duration_s * 1000:.0f} ms{why}", err=True)
        elif time.monotonic() >= self._next_s:
            click.echo(f"  {self._done} of {self._total}", err=True)
            self._next_s = time.monotonic() + _EVERY_S

    def end(self, run: RunRecord) -> None:
        print_warnings(run.warnings[self._told :])
        click.echo(summary_line(run), err=True)


def choose_progress(*, quiet: bool = False, stream: bool = False) -> Progress:
    """The progress that suits where stderr goes."""
    if quiet:
        return SilentProgress()
    if stream or not sys.stderr.isatty():
        return LineProgress(each=stream)
    from flowyard.cli.shared.progress_bar import BarProgress  # noqa: PLC0415 - drawing is heavy, and needs a terminal

    return BarProgress()
