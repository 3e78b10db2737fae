"""Servers with hidden limits, and a run against one of them in simulated time: no threads, no waiting."""

from __future__ import annotations

import heapq
import math
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from flowyard.runs.concurrency import AdaptiveConcurrency
from flowyard.sessions.limit_tally import LimitTally
from flowyard.sessions.session import LimitSeen

Latency = Callable[[random.Random], float]


def steady(seconds: float) -> Latency:
    return lambda _: seconds


def spread(seconds: float, deviation: float) -> Latency:
    """Lognormal around a mean, as answers of models are."""
    sigma = math.sqrt(math.log(1 + deviation**2))
    return lambda rng: rng.lognormvariate(math.log(seconds) - sigma**2 / 2, sigma)


@dataclass
class Server:
    """Works at ``capacity(now)`` calls at once. Others wait in line, or are refused when ``refuses``.

    ``per_minute`` calls are taken in each minute, the others are refused.
    """

    latency: Latency
    capacity: Callable[[float], float] = lambda _: math.inf
    refuses: bool = False
    per_minute: int | None = None
    working: int = 0
    waiting: deque[int] = field(default_factory=deque)
    minute: tuple[int, int] = (0, 0)
    refused: int = 0

    def offer(self, now: float) -> str:
        """ "take", "wait" or "refuse"."""
        if self.per_minute is not None:
            number = int(now // 60)
            used = self.minute[1] if self.minute[0] == number else 0
            if used >= self.per_minute:
                return "refuse"
            self.minute = (number, used + 1)
        if self.working < self.capacity(now):
            return "take"
        return "refuse" if self.refuses else "wait"


@dataclass
class Limit:
    """A fixed limit, in the shape of the adaptive one."""

    limit: int
    number: int = 0

    def line_ended(self, duration_s: float, refused: int, now_s: float, began: int, earlier_left: int) -> None:
        pass


@dataclass
class Outcome:
    seconds: float
    refused: int
    limits: list[int]
    ends: list[float]


class Worker:
    """Runs lines where the limiter is not, which hears of the lines that ended when it is told.

    Until then the next lines begin under the limit that the worker knows.
    """

    def __init__(self, limiter: AdaptiveConcurrency | Limit) -> None:
        self.limiter = limiter
        self.limit = limiter.limit
        self.running = 0
        self._tally = LimitTally()
        self._began: dict[int, tuple[float, int]] = {}
        self._ended: list[tuple[float, int, LimitSeen]] = []

    def begin(self, line: int, now: float) -> None:
        self.running += 1
        self._began[line] = now, self._tally.began()

    def end(self, line: int, now: float, refused: int) -> bool:
        """Whether this is the first line that the limiter has to hear of."""
        self.running -= 1
        began_at, number = self._began.pop(line)
        self._ended.append((now - began_at, refused, self._tally.ended(number)))
        return len(self._ended) == 1

    def tell(self, now: float) -> int:
        """The limiter hears of the lines that ended, and the worker of the limit; how many they were."""
        ended, self._ended = self._ended, []
        for duration_s, refused, seen in ended:
            left = seen.earlier_left if seen.ended == self.limiter.number else self.running
            self.limiter.line_ended(duration_s, refused, now, seen.began, left)
        self.limit = self.limiter.limit
        self._tally.limit_set(self.limiter.number)
        return len(ended)


def run_against(
    server: Server,
    limiter: AdaptiveConcurrency | Limit,
    lines: int,
    seed: int = 1,
    *,
    told_after: Latency | None = None,
) -> Outcome:
    """Run the lines, at most ``limiter.limit`` at once; a refused call is tried again after a growing random wait.

    The limiter hears of lines so long ``told_after`` the first of them ended; without, before any other begins.
    """
    rng = random.Random(seed)
    events: list[tuple[float, int, str, int]] = []
    refusals: dict[int, int] = {}
    limits, ends = [], []
    worker = Worker(limiter)
    now, order, started = 0.0, 0, 0

    def push(at: float, kind: str, line: int) -> None:
        nonlocal order
        order += 1
        heapq.heappush(events, (at, order, kind, line))

    def call(line: int) -> None:
        answer = server.offer(now)
        if answer == "take":
            server.working += 1
            push(now + server.latency(rng), "end", line)
        elif answer == "wait":
            server.waiting.append(line)
        else:
            refusals[line] = refusals.get(line, 0) + 1
            server.refused += 1
            told = 60 - now % 60 if server.per_minute is not None else 0.0
            push(now + min(60, told + 2.0 ** (refusals[line] - 1) * rng.random()), "call", line)

    def tell() -> None:
        for _ in range(worker.tell(now)):
            limits.append(limiter.limit)
            ends.append(now)

    while len(ends) < lines:
        while started < lines and worker.running < worker.limit:
            worker.begin(started, now)
            push(now, "call", started)
            started += 1
        now, _, kind, line = heapq.heappop(events)
        if kind == "call":
            call(line)
        elif kind == "tell":
            tell()
        else:
            server.working -= 1
            is_first = worker.end(line, now, refusals.pop(line, 0))
            if told_after is None:
                tell()
            elif is_first:
                push(now + told_after(rng), "tell", line)
            while server.waiting and server.working < server.capacity(now):
                server.working += 1
                push(now + server.latency(rng), "end", server.waiting.popleft())
    return Outcome(now, server.refused, limits, ends)
