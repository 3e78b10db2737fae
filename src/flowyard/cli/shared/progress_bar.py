"""A live bar on stderr, for runs that are watched in a terminal."""

from __future__ import annotations

import time

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from flowyard.cli.shared.output import print_warnings, summary_line
from flowyard.records import RunRecord
from flowyard.sessions.session import FinishedLine

__all__ = ["BarProgress"]


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
        click.echo(summary_line(run), err=True)
