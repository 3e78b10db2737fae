"""How often a message is tried, and how long is waited between."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from flowyard.errors import FlowyardError

__all__ = ["Patience", "TryAgain", "try_patiently"]


@dataclass(frozen=True, slots=True)
class Patience:
    """At most ``attempts``, each ``timeout_s`` long. Pauses double from ``first_pause_s``, with jitter.

    What a server asks for is waited for up to ``longest_pause_s``; one that asks for more is not asked again.
    """

    attempts: int = 4
    timeout_s: float = 15.0
    first_pause_s: float = 1.0
    longest_pause_s: float = 30.0
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep


class TryAgain(Exception):
    """An attempt failed in a way that may pass. ``error`` is what is raised when no attempt is left."""

    def __init__(self, error: FlowyardError, after_s: float | None = None) -> None:
        super().__init__(str(error))
        self.error = error
        self.after_s = after_s


async def try_patiently(patience: Patience, attempt: Callable[[], Awaitable[None]]) -> None:
    """Try until one attempt does not raise TryAgain. Raises the error of the last one."""
    for number in range(1, patience.attempts + 1):
        try:
            return await attempt()
        except TryAgain as again:
            asked_s = again.after_s or 0.0
            if number == patience.attempts or asked_s > patience.longest_pause_s:
                raise again.error from None
            pause_s = patience.first_pause_s * 2.0 ** (number - 1) * random.uniform(0.5, 1.0)
        await patience.sleep(min(patience.longest_pause_s, max(asked_s, pause_s)))
    return None
