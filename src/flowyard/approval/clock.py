"""What time it is, for deadlines."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

__all__ = ["Clock", "SteadyClock"]

Clock = Callable[[], datetime]
"""Gives the time, with its zone."""


def _wall_clock() -> datetime:
    return datetime.now(UTC)


class SteadyClock:
    """The machine's clock, which goes on at least as fast as time does, even when somebody puts it back."""

    def __init__(self, wall: Clock = _wall_clock, elapsed: Callable[[], float] = time.monotonic) -> None:
        self._wall, self._elapsed = wall, elapsed
        self._time, self._mark = wall(), elapsed()

    def __call__(self) -> datetime:
        mark = self._elapsed()
        self._time = max(self._wall(), self._time + timedelta(seconds=mark - self._mark))
        self._mark = mark
        return self._time
