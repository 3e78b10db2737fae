"""Work in a thread that everybody who asks meanwhile waits for together."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Generic, TypeVar

__all__ = ["SharedWork"]

T = TypeVar("T")


class SharedWork(Generic[T]):
    """``work`` is under way once at most. Who goes away leaves it to the others, and starts no second one by returning.

    A thread cannot be ended from outside: clients that give up and ask again would otherwise pile up threads.
    """

    def __init__(self, work: Callable[[], T], executor: Executor | None = None) -> None:
        self._work = work
        self._executor = executor
        self._under_way: asyncio.Future[T] | None = None

    async def result(self) -> T:
        """What the work that is under way comes to; it is begun where none is. Raises what the work raises."""
        if self._under_way is None or self._under_way.done():
            self._under_way = asyncio.get_running_loop().run_in_executor(self._executor, self._work)
            self._under_way.add_done_callback(_looked_at)
        return await asyncio.shield(self._under_way)


def _looked_at(ended: asyncio.Future[T]) -> None:
    """An error that nobody waits for any more is no warning of the event loop."""
    if not ended.cancelled():
        ended.exception()
