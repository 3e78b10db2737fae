"""Calls that are under way, so that the same question from another line waits for the answer instead of asking."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager

from flowyard.llm.cache.answer_form import KeptAnswer

__all__ = ["Flight", "Flights"]


class Flight:
    """One call under way; ``answer`` is set by who makes it."""

    def __init__(self) -> None:
        self.answer: KeptAnswer | None = None
        self._landed: Future[None] = Future()

    async def wait(self) -> KeptAnswer | None:
        """The answer when it is there; None when the call failed. From any event loop."""
        await asyncio.shield(asyncio.wrap_future(self._landed))  # who stops waiting does not end the call
        return self.answer

    def land(self) -> None:
        """Let everyone who waits go on."""
        self._landed.set_result(None)


class Flights:
    """The calls of this process that are under way, by their keys. Safe to use from many threads."""

    def __init__(self) -> None:
        self._by_key: dict[bytes, Flight] = {}
        self._lock = threading.Lock()

    @contextmanager
    def started(self, key: bytes) -> Iterator[tuple[Flight, bool]]:
        """The flight under a key, and whether it is the caller who has to make the call, inside the block."""
        with self._lock:
            found = self._by_key.get(key)
            flight = found or Flight()
            self._by_key[key] = flight
        if found is not None:
            yield found, False
            return
        try:
            yield flight, True
        finally:
            with self._lock:
                del self._by_key[key]
            flight.land()
