"""Live progress on stderr: a bar where there is a terminal, a few plain lines where there is none."""

from __future__ import annotations

import sys
import time

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from flowyard.cli.output import print_warnings
from flowyard.records import LineResult, RunRecord
from flowyard.runs.cost_text import cost_text
from flowyard.sessions.session import FinishedLine

__all__ = ["BarProgress", "LineProgress", "SilentProgress", "choose_progress"]

_EVERY_S = 10.0


class SilentProgress:
    """Shows nothing."""

    def start(self, run: RunRecord, total: int) -> None:
        """Nothing."""

    def line(self, line: FinishedLine) -> None:
        """Nothing."""

    def end(self, run: RunRecord) -> None:
        """Nothing."""


class BarProgress:
    """A bar with rate, failures, tokens and the time that is left."""

    def __init__(self) -> None:
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=14),
            MofNCompleteColumn(),
            TextColumn("{task.fields[facts]}"),
            TimeRemainingColumn(compact=True),
            console=Console(stderr=True),
        )
        self._task: TaskID | None = None
        self._done = self._failed = self._tokens = 0
        self._started = 0.0
        self._told = 0

    def start(self, run: RunRecord, total: int) -> None:
        label = run.name if len(run.name) <= 34 else f"…{run.name[-33:]}"
        print_warnings(run.warnings)
        self._told = len(run.warnings)
        self._done = self._failed = self._tokens = 0
        self._started = time.perf_counter()
        self._task = self._bar.add_task(label, total=total, facts="")
        self._bar.start()

    def line(self, line: FinishedLine) -> None:
        assert self._task is not None
        self._done += 1
        self._failed += line.status == "failed"
        self._tokens += line.usage.total_tokens
        rate = self._done / max(time.perf_counter() - self._started, 1e-6)
        failed = f" [red]{self._failed} failed[/red]" if self._failed else ""
        tokens = f" {self._tokens:,} tok" if self._tokens else ""
        self._bar.update(self._task, advance=1, facts=f"{rate:.0f}/s{failed}{tokens}")

    def end(self, run: RunRecord) -> None:
        assert self._task is not None
        self._bar.update(self._task, total=run.lines.total)
        self._bar.stop()
        self._bar.remove_task(self._task)
        print_warnings(run.warnings[self._told :])
        click.echo(_summary(run), err=True)


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
        click.echo(_summary(run), err=True)


def _summary(run: RunRecord) -> str:
    rate = (run.lines.completed + run.lines.failed) / max(run.duration_s, 1e-6)
    tokens = f", {run.usage.total_tokens:,} tokens" if run.usage.total_tokens else ""
    tokens += f", {run.usage.kept_text}" if run.usage.kept_text else ""
    cost = f", {cost_text(run.usage)}" if cost_text(run.usage) else ""
    simulated = " (simulated model)" if run.simulated else ""
    counts = f"{run.lines.completed} completed, {run.lines.failed} failed of {run.lines.total}"
    kept = f"; what finished is kept, go on with: flowyard run resume {run.name}" if run.status == "canceled" else ""
    facts = f"{tokens}{cost}{simulated}{kept}"
    return f"{run.name}: {run.status}, {counts}, {run.duration_s:.1f} s, {rate:.0f} lines/s{facts}"


def choose_progress(*, quiet: bool = False, stream: bool = False) -> BarProgress | LineProgress | SilentProgress:
    """The progress that suits where stderr goes."""
    if quiet:
        return SilentProgress()
    if stream or not sys.stderr.isatty():
        return LineProgress(each=stream)
    return BarProgress()
