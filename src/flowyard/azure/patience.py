"""How long Azure is waited for."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

__all__ = ["Patience"]


@dataclass(frozen=True, slots=True)
class Patience:
    """A request is tried ``attempts`` times in ``total_s`` seconds; waits double from ``first_s`` up to ``longest_s``.

    Half of each wait is by chance, so that many who were refused together do not come back together. An operation that
    Azure carries out afterwards is asked about every ``poll_s`` seconds at first, for ``operation_s`` seconds in all.
    """

    attempts: int = 8
    total_s: float = 300.0
    first_s: float = 0.5
    longest_s: float = 30.0
    poll_s: float = 1.0
    longest_poll_s: float = 15.0
    operation_s: float = 3600.0
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    clock: Callable[[], float] = time.monotonic
    chance: Callable[[], float] = random.random

    def wait_s(self, attempt: int, asked_s: float | None) -> float:
        """Seconds to wait after an attempt (from 1): what was asked for and a little, else by the attempt."""
        spread = min(self.longest_s, self.first_s * 2.0 ** (attempt - 1)) * (0.5 + 0.5 * self.chance())
        return spread if asked_s is None else asked_s + min(spread, self.first_s)
