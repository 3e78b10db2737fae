"""What an endpoint is tested with, and what came out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

__all__ = ["Check", "EndpointReport", "EndpointTest", "Suite"]

Suite = Literal["smoke", "integration"]


@dataclass(frozen=True, slots=True)
class EndpointTest:
    """``file`` has one request as JSON, ``golden`` cases with what their answers have to be.

    ``smoke`` asks for readiness, the schema, the sample request, the golden cases and a few requests one after another;
    ``integration`` also for what has to be refused and a small load: ``requests`` in all, ``concurrency`` at once. None
    is what is usual for the suite. Latencies are in milliseconds, ``ready_s`` is how long readiness is waited for.
    """

    file: Path | None = None
    golden: Path | None = None
    suite: Suite = "smoke"
    max_latency_p95_ms: float | None = None
    requests: int | None = None
    concurrency: int | None = None
    ready_s: float = 60.0
    timeout_s: float = 180.0


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at. ``state`` is ``unreached`` when the endpoint could not be asked at all."""

    name: str
    state: Literal["passed", "failed", "unreached"]
    message: str = ""
    duration_s: float = 0.0


@dataclass(frozen=True, slots=True)
class EndpointReport:
    """All checks of one endpoint. ``latency_ms`` has ``p50``, ``p95``, ``p99`` and ``max`` of good answers."""

    endpoint: str
    suite: Suite
    checks: tuple[Check, ...]
    latency_ms: Mapping[str, float] = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        return all(check.state == "passed" for check in self.checks)

    @property
    def unreached(self) -> bool:
        """Whether nobody answered, so that nothing is known of what it does."""
        return any(check.state == "unreached" for check in self.checks)

    @property
    def why(self) -> str:
        """In a sentence, what the first check that did not pass says; empty when all did."""
        return next((f"{each.name}: {each.message}" for each in self.checks if each.state != "passed"), "")
