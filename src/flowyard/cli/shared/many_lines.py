"""What all commands that run many lines take, and how they carry it out."""

from __future__ import annotations

import asyncio
import functools
import signal
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from flowyard.abc import ConnectionSource
from flowyard.app import App
from flowyard.cli.shared.backend_options import backend_options, open_ray_sessions, require_fitting
from flowyard.cli.shared.bulk_options import bulk_options
from flowyard.cli.shared.cache_options import CacheOptions, cache_options, recorded
from flowyard.cli.shared.option_groups import Command, grouped
from flowyard.cli.shared.output import user_prints_to_stderr
from flowyard.cli.shared.pacing_options import pacing_options, pacing_rules, require_known_connections
from flowyard.cli.shared.session_options import session_choice, session_options
from flowyard.llm import CallRules
from flowyard.llm.cache.block import CacheBlock
from flowyard.llm.pacing import RateLimit
from flowyard.llm.prices import Prices
from flowyard.runs.budget import Budget
from flowyard.runs.execution import Progress
from flowyard.runs.options import RunOptions
from flowyard.runs.run import RunParts
from flowyard.sessions.local import LocalSessions, SessionOpener

__all__ = ["ManyLines", "many_lines_options"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ManyLines:
    """The values of the options, under the names of their flags; ``caching`` has those about kept answers."""

    concurrency: int | None
    workers: int
    line_timeout: float | None
    session: str
    backend: str
    address: str | None
    storage: str | None
    limits: tuple[str, ...]
    prices: str | None
    max_cost: float | None
    max_tokens: int | None
    caching: CacheOptions

    @property
    def options(self) -> RunOptions:
        """How lines are worked through."""
        return RunOptions(self.concurrency, self.line_timeout)

    def rules(self, app: App, limits: Mapping[str, RateLimit], cache: CacheBlock | None) -> CallRules:
        """How model calls are made; ``limits`` and ``cache`` are those of the run's file. Raises UserError."""
        pacing = pacing_rules(app.settings, limits=self.limits, prices=self.prices, declared=limits)
        return CallRules(**pacing, **self.caching.fields(app.settings, cache))

    def price_table(self, app: App) -> Prices:
        """The prices that hold for these runs. Raises UserError."""
        return Prices(pacing_rules(app.settings, prices=self.prices)["price_files"])

    def parts(
        self,
        app: App,
        progress: Progress,
        declared: Sequence[ConnectionSource] = (),
        *,
        limits: Mapping[str, RateLimit] | None = None,
        cache: CacheBlock | None = None,
    ) -> RunParts:
        """What the runs need; ``limits`` and ``cache`` are those of the run's file. Raises UserError."""
        rules = self.rules(app, limits or {}, cache)
        parts = app.parts(progress, declared, rules, self._sessions(app, rules))
        require_known_connections(rules.limits, parts.connections)
        return replace(parts, budget=Budget(self.max_cost, self.max_tokens))

    def _sessions(self, app: App, rules: CallRules) -> SessionOpener:
        """Where lines run. Raises UserError for options that do not fit together."""
        require_fitting(self.backend, self.session, self.address, self.storage)
        if self.backend == "ray":
            return open_ray_sessions(self.workers, self.address, self.storage)
        choice = session_choice(self.session, app.settings)
        return LocalSessions(self.workers, choice, (app.settings.home / "runs", *rules.folders()))

    def carry_out(self, app: App, work: Coroutine[Any, Any, T]) -> T:
        """Run the work; what flows print in this process goes to standard error."""
        with user_prints_to_stderr(), recorded(self.caching.recording(app.settings)):
            return asyncio.run(_answering_sigterm(work))


_NAMES = tuple(ManyLines.__dataclass_fields__)


def many_lines_options(command: Command) -> Command:
    """The options; the command gets their values as ``many``."""

    @functools.wraps(command)
    def with_values(**values: Any) -> Any:
        own = {name: values.pop(name) for name in _NAMES}
        return command(many=ManyLines(**own), **values)

    return grouped(with_values, bulk_options, session_options, backend_options, pacing_options, cache_options)


async def _answering_sigterm(work: Coroutine[Any, Any, T]) -> T:
    """SIGTERM cancels the work, as Ctrl-C does, and does not break off whatever is being written just then."""
    before = signal.signal(signal.SIGTERM, signal.getsignal(signal.SIGINT))
    try:
        return await work
    finally:
        signal.signal(signal.SIGTERM, before)
