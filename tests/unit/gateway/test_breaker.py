"""The breaker against a model of it, over thousands of steps."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from flowyard.gateway.breaker import Breaker
from flowyard.gateway.settings import BreakerSettings

FAILURES, OPEN_S = 3, 10.0


class Breaking(RuleBasedStateMachine):
    """``under_way`` are the tickets that are out; ``probe`` is the one of the half-open breaker."""

    tickets = Bundle("tickets")

    def __init__(self):
        super().__init__()
        self.breaker = Breaker(BreakerSettings(FAILURES, OPEN_S))
        self.now = 0.0
        self.state = "closed"
        self.failures = 0
        self.opened_at = 0.0
        self.probe: int | None = None
        self.stale: set[int] = set()
        self.out: list[int] = []

    def to(self, state: str) -> None:
        self.state, self.failures, self.probe = state, 0, None
        self.stale.update(self.out)
        self.opened_at = self.now

    @rule(seconds=st.sampled_from((0.0, 1.0, 9.5, 10.0, 30.0)))
    def time_passes(self, seconds):
        self.now += seconds

    @rule(target=tickets)
    def enter(self):
        ticket = self.breaker.enter(self.now)
        if self.state == "open" and self.now >= self.opened_at + OPEN_S:
            self.state = "half-open"
        if self.state == "closed":
            assert ticket
        elif self.state == "half-open" and self.probe is None:
            assert ticket, "a breaker that lets nobody in never closes again"
            self.probe = ticket
        else:
            assert not ticket, "only one probe, and none while open"
        if ticket:
            self.out.append(ticket)
        return ticket

    def is_current(self, ticket: int) -> bool:
        return bool(ticket) and ticket not in self.stale and (self.state == "closed" or ticket == self.probe)

    @rule(ticket=consumes(tickets))
    def succeed(self, ticket):
        self.breaker.succeeded(ticket)
        if self.is_current(ticket):
            self.failures = 0
            if self.state == "half-open":
                self.to("closed")

    @rule(ticket=consumes(tickets))
    def fail(self, ticket):
        self.breaker.failed(ticket, self.now)
        if self.is_current(ticket):
            self.failures += 1
            if self.state == "half-open" or self.failures >= FAILURES:
                self.to("open")

    @rule(ticket=consumes(tickets))
    def leave(self, ticket):
        self.breaker.left(ticket)
        if ticket and ticket == self.probe:
            self.probe = None
            self.stale.add(ticket)

    @invariant()
    def state_is_that_of_the_model(self):
        said = self.breaker.state(self.now)
        if self.state == "open":
            assert said == ("open" if self.now < self.opened_at + OPEN_S else "half-open")
        else:
            assert said == self.state


TestBreaking = Breaking.TestCase
TestBreaking.settings = settings(max_examples=150, stateful_step_count=70, deadline=None)
