"""The breaker against a model of it: whatever callers do, in whatever order, also when they die."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from flowyard.llm.pacing import breaker
from flowyard.llm.pacing.fields import COUNT, FAILURES, OPEN_UNTIL

LONGEST_WAIT_S = 30.0


class BreakerMachine(RuleBasedStateMachine):
    """Calls are begun, end in some way, or are lost with their process; time passes in between."""

    @initialize()
    def begin(self) -> None:
        self.fields = [0.0] * COUNT
        self.now = 1000.0
        self.calls: list[float] = []
        self.probe: float | None = None
        self.probe_ends = 0.0
        self.in_a_row = 0

    def state(self) -> str:
        return breaker.state(self.fields, self.now)

    def live_probe(self) -> bool:
        return self.probe is not None and self.now < self.probe_ends

    @rule()
    def ask(self) -> None:
        before = self.state()
        wait, probe = breaker.ask(self.fields, self.now)
        if before == "closed":
            assert (wait, probe) == (0, breaker.NO_PROBE)
        elif before == "open" or self.live_probe():
            assert 0 < wait <= LONGEST_WAIT_S
            assert probe == breaker.NO_PROBE
        else:
            assert wait == 0
            assert probe != breaker.NO_PROBE
            assert probe not in self.calls
            self.probe, self.probe_ends = probe, self.now + breaker.PROBE_S
        if not wait:
            self.calls.append(probe)

    def take_call(self, data: st.DataObject) -> float:
        return self.calls.pop(data.draw(st.integers(0, len(self.calls) - 1)))

    @precondition(lambda self: self.calls)
    @rule(data=st.data())
    def answer(self, data: st.DataObject) -> None:
        probe, before = self.take_call(data), self.state()
        breaker.answered(self.fields, probe)
        if before == "closed":
            assert self.state() == "closed"
            self.in_a_row = 0
        elif probe != breaker.NO_PROBE and probe == self.probe:
            assert self.state() == "closed"
            self.probe, self.in_a_row = None, 0
        else:
            assert self.state() == before

    @precondition(lambda self: self.calls)
    @rule(data=st.data())
    def fail(self, data: st.DataObject) -> None:
        probe, before = self.take_call(data), self.state()
        breaker.failed(self.fields, self.now, probe)
        if before == "closed":
            self.in_a_row += 1
            assert self.state() == ("open" if self.in_a_row >= breaker.FAILURES_TO_OPEN else "closed")
        elif probe != breaker.NO_PROBE and probe == self.probe:
            assert self.state() == "open"
            self.probe = None
        else:
            assert self.state() == before

    @precondition(lambda self: self.calls)
    @rule(data=st.data())
    def give_up(self, data: st.DataObject) -> None:
        probe, before = self.take_call(data), self.state()
        breaker.abandon(self.fields, probe)
        assert self.state() == before
        if probe != breaker.NO_PROBE and probe == self.probe:
            self.probe = None

    @precondition(lambda self: self.calls)
    @rule(data=st.data())
    def die(self, data: st.DataObject) -> None:
        self.take_call(data)  # nobody says anything

    @rule(seconds=st.sampled_from([0.05, 0.5, 1.0, 5.0, 31.0, 61.0]))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @rule(count=st.integers(1, 12))
    def many_fail(self, count: int) -> None:
        """Failures in a row are rare by chance, and what opens the breaker."""
        for _ in range(count):
            if self.state() == "closed":
                breaker.failed(self.fields, self.now, breaker.NO_PROBE)
                self.in_a_row += 1

    @invariant()
    def no_wake_up_is_lost(self) -> None:
        """Whoever waits as long as told, or as long as a lost probe counts, is let through."""
        if not hasattr(self, "fields"):
            return
        fields, now = list(self.fields), self.now
        for _ in range(2000):
            wait, _ = breaker.ask(fields, now)
            if not wait:
                return
            now += wait
        raise AssertionError(f"nobody is let through: {self.fields}")


BreakerMachine.TestCase.settings = settings(max_examples=100, stateful_step_count=100, deadline=None)
TestBreaker = BreakerMachine.TestCase


def test_a_failed_probe_waits_longer_each_time() -> None:
    fields, now = [0.0] * COUNT, 1000.0
    for _ in range(breaker.FAILURES_TO_OPEN):
        breaker.failed(fields, now, breaker.NO_PROBE)
    waits = []
    for _ in range(7):
        wait, _ = breaker.ask(fields, now)
        waits.append(wait)
        now += wait
        breaker.failed(fields, now, breaker.ask(fields, now)[1])
    assert waits == [1, 2, 4, 8, 16, 30, 30]


def test_an_answer_forgets_the_failures_before_it() -> None:
    fields = [0.0] * COUNT
    for _ in range(5 * breaker.FAILURES_TO_OPEN):
        breaker.failed(fields, 1.0, breaker.NO_PROBE)
        breaker.answered(fields, breaker.NO_PROBE)
    assert fields[FAILURES] == fields[OPEN_UNTIL] == 0
