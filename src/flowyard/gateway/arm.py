"""One backend as it is at this moment."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass, field

from flowyard.gateway.breaker import Breaker
from flowyard.gateway.settings import Backend

__all__ = ["ARM_HEADER", "LATENCY_BOUNDS", "Arm"]

ARM_HEADER = "x-flowyard-arm"
"""Says in an answer which arm gave it."""

LATENCY_BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0)


@dataclass(slots=True, eq=False)
class Arm:
    """``statuses`` counts what callers got, 499 those who left; ``buckets`` latencies by ``LATENCY_BOUNDS``.

    ``last_failure`` says why no answer came the last time that none did; empty when all were answered.
    """

    backend: Backend
    breaker: Breaker
    is_healthy: bool = True
    is_drained: bool = False
    under_way: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    buckets: list[int] = field(default_factory=lambda: [0] * (len(LATENCY_BOUNDS) + 1))
    latency_s: float = 0.0
    last_failure: str = ""
    name: str = ""
    line: bytes = b""
    """The line of an answer's head that says which arm gave it, and the end of that head."""

    def __post_init__(self) -> None:
        self.name = self.backend.name
        self.line = f"\r\n{ARM_HEADER}: {self.name}\r\n\r\n".encode("ascii")

    def enter(self, now: float) -> int:
        """A ticket for one request, 0 when none may go there."""
        return self.breaker.enter(now) if self.is_healthy and not self.is_drained else 0

    def ended(self, status: int, latency_s: float) -> None:
        """Count a request that is over."""
        self.statuses[status] += 1
        self.buckets[bisect_left(LATENCY_BOUNDS, latency_s)] += 1
        self.latency_s += latency_s
