"""How Python calls carry out lines: where things are kept, who answers, how many at once, what it may cost."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from os import PathLike, fspath
from pathlib import Path
from typing import Literal, TypedDict

from flowyard.abc import ConnectionSource
from flowyard.api.text import plain
from flowyard.app import App, open_app
from flowyard.llm import CallRules
from flowyard.llm.cache import DEFAULT_CACHE_BYTES, CacheMode, CacheRules, cache_file
from flowyard.llm.cache.block import CacheBlock
from flowyard.llm.cache.kept_file import repaired
from flowyard.llm.pacing import RateLimit
from flowyard.llm.prices import Prices, find_price_files
from flowyard.records import RunRecord
from flowyard.runs.budget import Budget
from flowyard.runs.execution import Progress
from flowyard.runs.options import RunOptions
from flowyard.runs.run import RunParts
from flowyard.sessions.local import LocalSessions, SessionOpener, open_inline
from flowyard.sessions.session import FinishedLine
from flowyard.settings import Settings

__all__ = ["Place", "Running", "RunningOptions", "open_place", "price_table"]

Place = str | PathLike[str]
"""A path, as text or path-like."""


class RunningOptions(TypedDict, total=False):
    """Keywords of every call that runs lines.

    ``simulate`` is a rules file that answers in place of every model; ``home`` is where runs are kept, ``env_file`` a
    ``.env`` with connections: as the options of the commands. ``progress`` tells on standard error how it goes, or is
    an object with ``start``, ``line`` and ``end``. ``concurrency`` is how many lines run at once (None finds the best
    number), ``workers`` how many processes run them; 0, the default, is this process. ``line_timeout_s`` ends a line
    that takes longer. When ``max_cost`` (US dollars) or ``max_tokens`` are used up, no more lines are begun. ``cache``
    gives kept answers again (``on``, the default), never (``off``), or asks again and keeps the new ones (``refresh``).
    """

    simulate: Place | None
    home: Place | None
    env_file: Place | None
    progress: bool | Progress
    concurrency: int | None
    workers: int
    line_timeout_s: float | None
    max_cost: float | None
    max_tokens: int | None
    cache: Literal["on", "off", "refresh"] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """The values of ``RunningOptions``."""

    simulate: Place | None = None
    home: Place | None = None
    env_file: Place | None = None
    progress: bool | Progress = False
    concurrency: int | None = 16
    workers: int = 0
    line_timeout_s: float | None = None
    max_cost: float | None = None
    max_tokens: int | None = None
    cache: CacheMode | None = None

    @property
    def options(self) -> RunOptions:
        """How lines are worked through."""
        return RunOptions(self.concurrency, self.line_timeout_s)

    def open(self, near: Path) -> App:
        """The opened parts; ``near`` is the flow or experiment at hand. Raises UserError."""
        return open_place(near, home=self.home, env_file=self.env_file, simulate=self.simulate)

    def parts(
        self,
        app: App,
        declared: Sequence[ConnectionSource] = (),
        *,
        limits: Mapping[str, RateLimit] | None = None,
        cache: CacheBlock | None = None,
    ) -> RunParts:
        """What runs need; ``limits`` and ``cache`` are those of an experiment's file. Raises UserError."""
        rules = self._rules(app.settings, limits or {}, cache or CacheBlock())
        sessions: SessionOpener = open_inline
        if self.workers:
            sessions = LocalSessions(self.workers, None, (app.settings.home / "runs", *rules.folders()))
        parts = app.parts(self._watch(), declared, rules, sessions)
        return replace(parts, budget=Budget(self.max_cost, self.max_tokens))

    def _rules(self, settings: Settings, limits: Mapping[str, RateLimit], block: CacheBlock) -> CallRules:
        return CallRules(
            limits=dict(limits),
            pace_file=settings.home / "pace" / "connections",
            price_files=_price_files(settings),
            cache=self._cache(settings, block),
        )

    def _cache(self, settings: Settings, block: CacheBlock) -> CacheRules | None:
        mode = self.cache or block.mode or "on"
        if mode == "off":
            return None
        rules = CacheRules(
            file=cache_file(settings.home),
            mode=mode,
            most_bytes=block.most_bytes or DEFAULT_CACHE_BYTES,
            off=block.off,
            nodes=block.nodes,
        )
        repaired(rules.file)
        return rules

    def _watch(self) -> Progress:
        if isinstance(self.progress, bool):
            return _Told() if self.progress else _Quiet()
        return self.progress


def open_place(
    near: Path, *, home: Place | None = None, env_file: Place | None = None, simulate: Place | None = None
) -> App:
    """The opened parts with the environment as it is now; what is given goes over it. Raises UserError."""
    settings = Settings.read(home=_text(home), env_file=_text(env_file), simulate=_text(simulate))
    return open_app(settings, near)


def price_table(settings: Settings) -> Prices:
    """What models cost: the user's tables over ours. Raises UserError."""
    return Prices(_price_files(settings))


def _price_files(settings: Settings) -> tuple[Path, ...]:
    return find_price_files((settings.project, settings.home, settings.user), None)


def _text(place: Place | None) -> str | None:
    return None if place is None else fspath(place)


class _Quiet:
    """Shows nothing: what a run has to say is in its result."""

    def start(self, run: RunRecord, total: int) -> None:
        """Nothing is shown."""

    def line(self, line: FinishedLine) -> None:
        """Nothing is shown."""

    def end(self, run: RunRecord) -> None:
        """Nothing is shown."""


class _Told:
    """A line on standard error when a run starts, and one when it ended."""

    def start(self, run: RunRecord, total: int) -> None:
        self._say(f"{run.name}: {total:,} lines")

    def line(self, line: FinishedLine) -> None:
        """Nothing is shown: many lines may end in a second."""

    def end(self, run: RunRecord) -> None:
        self._say(f"{run.name}: {run.status}, {run.lines.failed:,} of {run.lines.total:,} lines failed")

    def _say(self, text: str) -> None:
        print(plain(text), file=sys.stderr)  # noqa: T201 - what was asked for
