"""Looking at a test again and again until it has ended: what ``ab decide --every`` does."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import click

from flowyard._util.durations import parse_duration
from flowyard.ab.run import Test, Tick
from flowyard.cli.shared.tables import printable
from flowyard.errors import Conflict, FlowyardError, OutsideError
from flowyard.production.store.collect import collect
from flowyard.production.store.store import ProductionStore

__all__ = ["Every", "collecting", "until_ended"]


class Every(click.ParamType[float]):
    """Seconds, as a number or with a unit: ``300``, ``60s``, ``5m``."""

    name = "S"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        try:
            seconds = float(value)
        except ValueError:
            seconds = self._with_unit(value, param, ctx)
        if not 0 < seconds <= timedelta(days=30).total_seconds():
            self.fail(f"{value} is not above 0 and at most 30d", param, ctx)
        return seconds

    def _with_unit(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> float:
        try:
            return parse_duration(value).total_seconds()
        except ValueError as error:
            self.fail(str(error), param, ctx)


def collecting(test: Test, folders: tuple[Path, ...], open_store: Callable[[], ProductionStore]) -> Callable[[], Tick]:
    """One tick of the test, after what is new in these folders was taken into the store."""
    if not folders:
        return test.tick
    store = open_store()

    def tick() -> Tick:
        collect(store, folders)
        return test.tick()

    return tick


def until_ended(tick: Callable[[], Tick], every_s: float) -> Tick:
    """Tick again and again; says on stderr what is new. It may be killed at any time and started again.

    What fails outside, such as a gateway that restarts, is tried again, and so is a test that somebody else carries on
    at the same moment.
    """
    said: list[str] = []
    while True:
        try:
            found = tick()
        except (OutsideError, Conflict) as error:
            lines = [_failed(error, every_s)]
        else:
            if found.ramp.end is not None:
                return found
            lines = _news(found)
        if lines != said:
            said = lines
            click.echo("\n".join(lines), err=True)
        time.sleep(every_s)


def _failed(error: FlowyardError, every_s: float) -> str:
    return f"Tried again in {every_s:g} s: {error.message}"


def _news(found: Tick) -> list[str]:
    lines = [f"{found.decision.state} ({found.decision.rule}), {found.ramp.share} %"]
    if found.standing is not None and not found.standing.allowed:
        lines.append(f"  {printable(found.standing.why)}")
        if found.standing.is_pending:
            lines.append(f"  flowyard approval approve {found.standing.request} --reason …")
    return lines
