"""When a backend that fails is left alone."""

from __future__ import annotations

from typing import Literal

from flowyard.gateway.settings import BreakerSettings

__all__ = ["Breaker", "BreakerState"]

BreakerState = Literal["closed", "open", "half-open"]

_REFUSED = 0


class Breaker:
    """Closed until ``failures`` in a row failed, then open for ``open_s`` seconds, then one request is a probe.

    Each request enters and gets a ticket, which it brings back with what became of it. A ticket of before the last
    change of state changes nothing: what began earlier says nothing of now. Times are seconds on any clock that never
    goes back.
    """

    def __init__(self, settings: BreakerSettings) -> None:
        self._settings = settings
        self._failures = 0
        self._open_until: float | None = None
        self._probes = False
        self._ticket = 1

    def state(self, now: float) -> BreakerState:
        if self._open_until is None:
            return "closed"
        return "open" if now < self._open_until and not self._probes else "half-open"

    def enter(self, now: float) -> int:
        """A ticket for one request, 0 when there is none."""
        if self._open_until is None:
            return self._ticket
        if now < self._open_until or self._probes:
            return _REFUSED
        self._probes = True
        self._ticket += 1
        return self._ticket

    def succeeded(self, ticket: int) -> None:
        if ticket == self._ticket:
            self._failures = 0
            if self._probes:
                self._change()
                self._open_until = None

    def failed(self, ticket: int, now: float) -> None:
        if ticket != self._ticket:
            return
        self._failures += 1
        if self._probes or (self._open_until is None and self._failures >= self._settings.failures):
            self._change()
            self._open_until = now + self._settings.open_s

    def left(self, ticket: int) -> None:
        """The request ended without saying anything of the backend: its caller left. Another one may be the probe."""
        if ticket == self._ticket and self._probes:
            self._probes = False
            self._ticket += 1

    def _change(self) -> None:
        self._failures = 0
        self._probes = False
        self._ticket += 1
