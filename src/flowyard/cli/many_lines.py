"""What all commands that run many lines take, and how they carry it out."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Coroutine, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from flowyard.abc import ConnectionSource
from flowyard.app import App
from flowyard.cli.bulk_options import bulk_options
from flowyard.cli.option_groups import Command, grouped
from flowyard.cli.output import user_prints_to_stderr
from flowyard.cli.pacing_options import pacing_options, pacing_rules, require_known_connections
from flowyard.cli.session_options import session_choice, session_options
from flowyard.llm import CallRules
from flowyard.llm.pacing import RateLimit
from flowyard.runs.budget import Budget
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
    session: str
    limits: tuple[str, ...]
    prices: str | None
    max_cost: float | None
    max_tokens: int | None

    @property
    def options(self) -> RunOptions:
        """How lines are worked through."""
        return RunOptions(self.concurrency, self.line_timeout)

    def rules(self, app: App, limits: Mapping[str, RateLimit]) -> CallRules:
        """How model calls are made; ``limits`` are those of the run's file. Raises UserError."""
        return CallRules(**pacing_rules(app.settings, limits=self.limits, prices=self.prices, declared=limits))

    def parts(
        self,
        app: App,
        progress: Progress,
        declared: Iterable[ConnectionSource] = (),
        limits: Mapping[str, RateLimit] | None = None,
    ) -> RunParts:
        """What the runs need; ``limits`` are those of the run's file. Raises UserError."""
        rules = self.rules(app, limits or {})
        choice = session_choice(self.session, app.settings)
        sessions = LocalSessions(self.workers, choice, (app.settings.home / "runs",))
        parts = app.parts(progress, declared, rules, sessions)
        require_known_connections(rules.limits, parts.connections)
        return replace(parts, budget=Budget(self.max_cost, self.max_tokens))


_NAMES = tuple(ManyLines.__dataclass_fields__)


def many_lines_options(command: Command) -> Command:
    """The options; the command gets their values as ``many``."""

    @functools.wraps(command)
    def with_values(**values: Any) -> Any:
        own = {name: values.pop(name) for name in _NAMES}
        return command(many=ManyLines(**own), **values)

    return grouped(with_values, bulk_options, session_options, pacing_options)


def carry_out(work: Coroutine[Any, Any, T]) -> T:
    """Run the work; what flows print in this process goes to standard error."""
    with user_prints_to_stderr():
        return asyncio.run(work)
