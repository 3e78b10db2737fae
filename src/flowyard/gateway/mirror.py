"""Copies of requests for one backend, whose answers nobody sees."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import replace

from flowyard.gateway.arm import Arm
from flowyard.gateway.asked import Asked
from flowyard.gateway.outgoing import Outgoing
from flowyard.gateway.settings import MirrorSettings
from flowyard.wire import BadAnswer, BrokenOff, Request, Response, Unanswered, WireClient

__all__ = ["Budget", "Mirror"]

_MOST_MEMORY = 64 * 1024 * 1024
_OF_AN_ANSWER = 256 * 1024
"""As much of each answer is held at once."""
_OF_A_REQUEST = 4 * 1024
"""What a request needs that has neither headers nor a body."""
_LONGEST_ANSWER = 64 * 1024 * 1024
_PARTS = 60


class Budget:
    """At most ``per_hour`` in any hour; counted by the minute."""

    def __init__(self, per_hour: int) -> None:
        self._per_hour = per_hour
        self._minutes: deque[list[int]] = deque()
        self._spent = 0

    def spend(self, now: float) -> bool:
        """Take one, if there is one left at that time, in seconds."""
        minute = int(now // 60)
        while self._minutes and self._minutes[0][0] < minute - _PARTS:
            self._spent -= self._minutes.popleft()[1]
        if self._spent >= self._per_hour:
            return False
        if not self._minutes or self._minutes[-1][0] != minute:
            self._minutes.append([minute, 0])
        self._minutes[-1][1] += 1
        self._spent += 1
        return True


class Mirror:
    """Has connections, a queue and a budget of its own. What finds one of them used up is dropped and counted.

    All that is held for copies, the requests and what is read of the answers, stays below 64 MB.

    A copy says ``x-flowyard-mirror: 1``, has the trace of the request with ``flowyard=mirror`` in its state, and the
    request's name with ``-mirror`` behind it, so that records of both are told apart.
    """

    def __init__(
        self,
        settings: MirrorSettings,
        arm: Arm,
        outgoing: Outgoing,
        client: WireClient,
        ended: Callable[[Asked, Arm, int], None],
    ) -> None:
        self.arm = arm
        self.sent = 0
        self.failed = 0
        self.drops: Counter[str] = Counter(waiting=0, bytes=0, budget=0)
        """By what was used up."""
        self._settings = settings
        self._outgoing = outgoing
        self._client = client
        self._ended = ended
        self._share = settings.percent / 100
        self._budget = Budget(settings.budget_per_hour)
        self._random = random.Random(random.SystemRandom().getrandbits(64))
        self._waiting: deque[tuple[Request, Asked]] = deque()
        self._bytes = 0
        self._most_bytes = (_MOST_MEMORY - settings.at_once * _OF_AN_ANSWER) // 2
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def dropped(self) -> int:
        """Copies that were not sent."""
        return self.drops.total()

    @property
    def waiting(self) -> int:
        """Copies in the queue."""
        return len(self._waiting)

    @property
    def held_bytes(self) -> int:
        """Of copies that wait or are under way. Those under way are there twice, as they are and in what is sent."""
        return self._bytes

    def offer(self, request: Request, asked: Asked, arm: str) -> None:
        """Take a copy of a request that goes to ``arm``, if it is among those that are copied. Never waits."""
        is_wanted = asked.is_counted and arm != self.arm.name and not self.arm.is_drained
        if not is_wanted or self._random.random() >= self._share:
            return
        size = _size(request)
        lacks = self._lacks(size, asked.began)
        if lacks:
            self.drops[lacks] += 1
            return
        own = self.arm.name
        name = f"{asked.request_id}-mirror"
        copy = replace(asked, request_id=name, arm=own, assigned=own, session="", is_mirror=True)
        self._bytes += size
        self._waiting.append((request, copy))
        if len(self._tasks) < self._settings.at_once:
            task = asyncio.get_running_loop().create_task(self._work())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _lacks(self, size: int, now: float) -> str:
        """What there is not enough of for one more copy; empty, and one of the budget spent, when there is."""
        if len(self._waiting) >= self._settings.waiting:
            return "waiting"
        if self._bytes + size > self._most_bytes:
            return "bytes"
        return "" if self._budget.spend(now) else "budget"

    async def close(self) -> None:
        """Drop what is left."""
        self.drops["waiting"] += len(self._waiting)
        self._waiting.clear()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._client.close()

    async def _work(self) -> None:
        while self._waiting:
            asked, method, data, size = self._next()
            try:
                await self._copy(asked, method, data)
            finally:
                self._bytes -= size

    def _next(self) -> tuple[Asked, str, bytes, int]:
        """The next copy, written out: the request itself is not held any longer."""
        request, asked = self._waiting.popleft()
        asked = replace(asked, began=time.monotonic())
        return asked, request.method, self._outgoing.data(request, asked, self.arm.backend), _size(request)

    async def _copy(self, asked: Asked, method: str, data: bytes) -> None:
        status = 0
        self.arm.under_way += 1
        try:
            async with asyncio.timeout(self._settings.timeout_s):
                response = await self._client.send(self.arm.backend.place, method, data)
                await _thrown_away(response)
                status = response.status
        except (Unanswered, BadAnswer, BrokenOff):
            status = 502
        except TimeoutError:
            status = 504
        finally:
            self.arm.under_way -= 1
            self.sent += 1
            self.failed += status not in range(1, 500)
            self._ended(asked, self.arm, status or 499)


def _size(request: Request) -> int:
    """Bytes that a request holds, about."""
    return _OF_A_REQUEST + len(request.body) + sum(len(name) + len(value) for name, value in request.headers.items())


async def _thrown_away(response: Response) -> None:
    if isinstance(response.body, bytes):
        return
    size = 0
    async with contextlib.aclosing(response.body) as pieces:
        async for piece in pieces:
            size += len(piece)
            if size > _LONGEST_ANSWER:
                raise BrokenOff("The answer is too long for a copy.")
