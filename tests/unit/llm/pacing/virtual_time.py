"""A clock that moves only when everybody waits for it, so that minutes pass in no time and always in the same way."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")
_ROUNDS = 50
"""How often tasks may pass the turn on before they count as waiting."""


class VirtualTime:
    """``now`` and ``sleep`` of a world of its own; ``run`` is the only way to let time pass."""

    def __init__(self, start: float = 1000.0) -> None:
        self.time = start
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._count = 0

    def now(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self._count += 1
        waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self.time + max(0.0, seconds), self._count, waiting))
        await waiting

    async def run(self, *work: Coroutine[Any, Any, T]) -> list[T | BaseException]:
        """Run everything to its end; what failed gives its exception."""
        tasks = [asyncio.ensure_future(each) for each in work]
        while not all(task.done() for task in tasks):
            for _ in range(_ROUNDS):
                await asyncio.sleep(0)
            if self._sleepers and not all(task.done() for task in tasks):
                self.time, _, waiting = heapq.heappop(self._sleepers)
                if not waiting.done():
                    waiting.set_result(None)
        return await asyncio.gather(*tasks, return_exceptions=True)
