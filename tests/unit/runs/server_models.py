"""Servers with hidden limits, and a run against one of them in simulated time: no threads, no waiting."""

from __future__ import annotations

import heapq
import math
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from flowyard.runs.concurrency import AdaptiveConcurrency

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

    def line_ended(self, duration_s: float, refused: int, now_s: float) -> None:
        pass


@dataclass
class Outcome:
    seconds: float
    refused: int
    limits: list[int]
    ends: list[float]


def run_against(server: Server, limiter: AdaptiveConcurrency | Limit, lines: int, seed: int = 1) -> Outcome:
    """Run the lines, at most ``limiter.limit`` at once; a refused call is tried again after a growing random wait."""
    rng = random.Random(seed)
    events: list[tuple[float, int, str, int]] = []
    began: dict[int, float] = {}
    refusals: dict[int, int] = {}
    limits, ends = [], []
    now, order, started, ended = 0.0, 0, 0, 0

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

    while ended < lines:
        while started < lines and started - ended < limiter.limit:
            began[started] = now
            push(now, "call", started)
            started += 1
        now, _, kind, line = heapq.heappop(events)
        if kind == "call":
            call(line)
            continue
        server.working -= 1
        ended += 1
        limiter.line_ended(now - began.pop(line), refusals.pop(line, 0), now)
        limits.append(limiter.limit)
        ends.append(now)
        while server.waiting and server.working < server.capacity(now):
            server.working += 1
            push(now + server.latency(rng), "end", server.waiting.popleft())
    return Outcome(now, server.refused, limits, ends)
