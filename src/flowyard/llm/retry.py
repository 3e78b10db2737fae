"""When to ask a model endpoint again, and after how long."""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from flowyard.errors import ProviderError

__all__ = ["RetryPolicy", "call_with_retries", "is_retryable"]

Answer = TypeVar("Answer")

_AGAIN = frozenset({408, 409, 429})


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """At most ``attempts`` calls; waits double from ``first_wait_s``, with full jitter, up to ``longest_wait_s``."""

    attempts: int = 6
    first_wait_s: float = 1.0
    longest_wait_s: float = 60.0
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    chance: Callable[[], float] = random.random

    def wait_s(self, attempt: int, retry_after_s: float | None, *, longest_s: float = math.inf) -> float:
        """Seconds to wait after the given attempt (from 1): at least what the endpoint asked for, within the cap.

        ``longest_s`` is a lower cap for waits that the endpoint did not ask for.
        """
        spread = min(self.longest_wait_s, longest_s, self.first_wait_s * 2.0 ** (attempt - 1)) * self.chance()
        return min(self.longest_wait_s, (retry_after_s or 0.0) + spread)


async def call_with_retries(policy: RetryPolicy, call: Callable[[], Awaitable[Answer]]) -> tuple[Answer, int]:
    """The answer and how many attempts it took. Raises the last ProviderError when no attempt succeeds."""
    attempt = 1
    while True:
        try:
            return await call(), attempt
        except ProviderError as error:
            if not error.retryable or attempt >= policy.attempts:
                raise
            await policy.sleep(policy.wait_s(attempt, error.retry_after_s))
        attempt += 1


def is_retryable(status: int, code: str | None = None) -> bool:
    """Whether asking again may help. An exhausted quota answers 429 too, but waiting does not refill it."""
    return (status in _AGAIN or status >= 500) and code != "insufficient_quota"
