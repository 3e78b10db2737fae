"""What all commands that run many lines take, and how they carry it out."""

from __future__ import annotations

import asyncio
import functools
import signal
from collections.abc import Coroutine, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

from flowyard.abc import ConnectionSource
from flowyard.app import App
from flowyard.cli.bulk_options import bulk_options
from flowyard.cli.option_groups import Command, grouped
from flowyard.cli.output import user_prints_to_stderr
from flowyard.llm import CallRules
from flowyard.runs.execution import Progress
from flowyard.runs.options import RunOptions
from flowyard.runs.run import RunParts
from flowyard.sessions.local import LocalSessions

__all__ = ["ManyLines", "carry_out", "many_lines_options"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ManyLines:
    """The values of the options, under the names of their flags."""

    concurrency: int | None
    workers: int
    line_timeout: float | None

    @property
    def options(self) -> RunOptions:
        """How lines are worked through."""
        return RunOptions(self.concurrency, self.line_timeout)

    @property
    def rules(self) -> CallRules:
        """How model calls are made."""
        return CallRules()

    def parts(self, app: App, progress: Progress, declared: Iterable[ConnectionSource] = ()) -> RunParts:
        """What the runs need."""
        return app.parts(progress, declared, self.rules, LocalSessions(self.workers))


_NAMES = tuple(ManyLines.__dataclass_fields__)


def many_lines_options(command: Command) -> Command:
    """The options; the command gets their values as ``many``."""

    @functools.wraps(command)
    def with_values(**values: Any) -> Any:
        own = {name: values.pop(name) for name in _NAMES}
        return command(many=ManyLines(**own), **values)

    return grouped(with_values, bulk_options)


def carry_out(work: Coroutine[Any, Any, T]) -> T:
    """Run the work; what flows print in this process goes to standard error."""
    with user_prints_to_stderr():
        return asyncio.run(_answering_sigterm(work))


async def _answering_sigterm(work: Coroutine[Any, Any, T]) -> T:
    """SIGTERM cancels the work, as Ctrl-C does, and does not break off whatever is being written just then."""
    before = signal.signal(signal.SIGTERM, signal.getsignal(signal.SIGINT))
    try:
        return await work
    finally:
        signal.signal(signal.SIGTERM, before)
