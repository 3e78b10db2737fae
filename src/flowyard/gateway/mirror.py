"""Copies of requests for one backend, whose answers nobody sees."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace

from flowyard.gateway.arm import Arm
from flowyard.gateway.asked import Asked
from flowyard.gateway.outgoing import Outgoing
from flowyard.gateway.settings import MirrorSettings
from flowyard.wire import BadAnswer, BrokenOff, Request, Response, Unanswered, WireClient

__all__ = ["Budget", "Mirror"]

_MOST_BYTES = 32 * 1024 * 1024
"""Of requests that wait or are under way; with answers, of which a part is held each, the mirror stays below 64 MB."""
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
        self.dropped = 0
        self.failed = 0
        self._settings = settings
        self._outgoing = outgoing
        self._client = client
        self._ended = ended
        self._share = settings.percent / 100
        self._budget = Budget(settings.budget_per_hour)
        self._random = random.Random(random.SystemRandom().getrandbits(64))
        self._waiting: deque[tuple[Request, Asked]] = deque()
        self._bytes = 0
        self._tasks: set[asyncio.Task[None]] = set()

    def offer(self, request: Request, asked: Asked, arm: str) -> None:
        """Take a copy of a request that goes to ``arm``, if it is among those that are copied. Never waits."""
        if arm == self.arm.name or self.arm.is_drained or self._random.random() >= self._share:
            return
        is_over = len(self._waiting) >= self._settings.waiting or self._bytes + len(request.body) > _MOST_BYTES
        if is_over or not self._budget.spend(asked.began):
            self.dropped += 1
            return
        copy = replace(asked, request_id=f"{asked.request_id}-mirror", arm=self.arm.name, session="", is_mirror=True)
        self._bytes += len(request.body)
        self._waiting.append((request, copy))
        if len(self._tasks) < self._settings.at_once:
            task = asyncio.get_running_loop().create_task(self._work())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Drop what is left."""
        self.dropped += len(self._waiting)
        self._waiting.clear()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._client.close()

    async def _work(self) -> None:
        while self._waiting:
            request, asked = self._waiting.popleft()
            try:
                await self._copy(request, asked)
            finally:
                self._bytes -= len(request.body)

    async def _copy(self, request: Request, asked: Asked) -> None:
        status = 0
        asked = replace(asked, began=time.monotonic())
        self.arm.under_way += 1
        try:
            async with asyncio.timeout(self._settings.timeout_s):
                data = self._outgoing.data(request, asked, self.arm.backend)
                response = await self._client.send(self.arm.backend.place, request.method, data)
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


async def _thrown_away(response: Response) -> None:
    if isinstance(response.body, bytes):
        return
    size = 0
    async with contextlib.aclosing(response.body) as pieces:
        async for piece in pieces:
            size += len(piece)
            if size > _LONGEST_ANSWER:
                raise BrokenOff("The answer is too long for a copy.")
