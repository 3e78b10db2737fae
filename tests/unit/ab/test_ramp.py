"""The ramp over any history: kills, refusals and all decisions, at any time."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from ab_helper import START, MemorySplit, arm, evidence, policy
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from flowyard.ab.decision.decide import DecisionState, decide
from flowyard.ab.evidence.model import Evidence
from flowyard.ab.journal import AbJournal
from flowyard.ab.policy.model import RampStep
from flowyard.ab.ramp import Move, RampState, next_move
from flowyard.ab.run import Standing, Test
from flowyard.errors import Conflict, NotFound, OutsideError, StoreError

HOUR = timedelta(hours=1)
POLICY = policy(ramp=(RampStep(1, HOUR, 0), RampStep(10, HOUR, 0), RampStep(50)), decide="approval")
GOOD, BAD = arm(900, 100), arm(700, 300)
KNOWN = {
    DecisionState.CONTINUE: evidence((0.5, GOOD, GOOD)),
    DecisionState.PROMOTE: evidence((0.5, BAD, GOOD)),
    DecisionState.ROLLBACK: evidence((0.5, GOOD, BAD)),
    DecisionState.INVALID: evidence((0.5, GOOD, arm(1500, 150))),
    DecisionState.NEEDS_HUMAN: evidence((0.5, GOOD, GOOD), unknown_epochs=(9,)),
}


@dataclass(frozen=True)
class FaultyJournal(AbJournal):
    """A journal that cannot write the events in ``faults``, as if the process was killed before it could."""

    faults: set[str] = field(default_factory=set)

    def add(self, event: Mapping[str, Any]) -> None:
        if event["event"] in self.faults:
            raise OutsideError("killed")
        super().add(event)


class World:
    """A test whose clock, evidence and people are in our hands."""

    label = "world"

    def __init__(self, folder: Path) -> None:
        self.now = START
        self.known = Evidence()
        self.allowed = False
        self.split = MemorySplit()
        self.journal = FaultyJournal(folder)
        self.asked = 0

    def read(self, *_: object) -> Evidence:
        return self.known

    def ask(self, _: object) -> Standing:
        self.asked += 1
        return Standing(self.allowed, "asked", "r1")

    @property
    def test(self) -> Test:
        """Made anew each time, as by a new process."""
        return Test(POLICY, self.journal, self.split, self, lambda: self.now, self.ask, self.ask)

    @property
    def share(self) -> float:
        return self.split.weights().get("b", 0)


class Ramping(RuleBasedStateMachine):
    """Whatever happens, the treatment gets only shares of the ramp, 0 or 100, and never comes back after its end."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = contextlib.ExitStack()
        self.world = World(Path(self.folder.enter_context(tempfile.TemporaryDirectory())) / "t")
        self.world.test.start("me")
        self.highest = 1.0
        self.ended: str | None = None

    def teardown(self) -> None:
        self.folder.close()

    @rule(
        state=st.sampled_from(list(DecisionState)),
        hours=st.integers(0, 3),
        fault=st.sampled_from(["", "", "", "fail_before", "fail_after", "journal"]),
        allowed=st.booleans(),
    )
    def tick(self, state: DecisionState, hours: int, fault: str, allowed: bool) -> None:
        world = self.world
        world.now += hours * HOUR
        world.known, world.allowed = KNOWN[state], allowed
        before, pending = world.share, world.test.ramp().begun
        failed = self._tick(fault)
        ramp = world.test.ramp()
        if self.ended:
            assert ramp.end == self.ended
            return
        if not failed and state in (DecisionState.ROLLBACK, DecisionState.INVALID):
            assert world.share == 0, "in the same tick"
        if state in (DecisionState.NEEDS_HUMAN, DecisionState.CONTINUE) and pending is None:
            assert world.share in (before, *(step.share for step in POLICY.ramp if step.share > before))
        if state is DecisionState.NEEDS_HUMAN and pending is None:
            assert world.share == before
        if world.share == 100:
            assert world.asked
        self.ended = ramp.end

    def _tick(self, fault: str) -> bool:
        split = self.world.split
        if fault == "journal":
            self.world.journal.faults.add("split")
        elif fault:
            setattr(split, fault, True)
        try:
            self.world.test.tick()
        except OutsideError:
            return True
        finally:
            split.fail_before = split.fail_after = False
            self.world.journal.faults.clear()
        return False

    @precondition(lambda self: self.ended is None)
    @rule()
    def torn_line(self) -> None:
        """A kill in the middle of writing: the last line never happened."""
        with self.world.journal.path.open("ab") as file:
            file.write(b'{"event": "split", "sha')

    @invariant()
    def only_shares_of_the_ramp(self) -> None:
        assert self.world.share in (0, 1, 10, 50, 100)
        if self.ended in ("rollback", "invalid"):
            assert self.world.share == 0
        if self.ended == "promote":
            assert self.world.share == 100


Ramping.TestCase.settings = settings(
    max_examples=40, stateful_step_count=15, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
)
TestRamping = Ramping.TestCase


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path / "t")


def test_the_whole_way_up(world: World):
    world.test.start("me")
    world.known = KNOWN[DecisionState.CONTINUE]
    shares = []
    for _ in range(4):
        world.now += HOUR
        world.test.tick()
        shares.append(world.share)
    assert shares == [10, 50, 50, 50]
    world.known, world.allowed = KNOWN[DecisionState.PROMOTE], False
    waiting = world.test.tick()
    assert waiting.standing == Standing(False, "asked", "r1")
    assert world.share == 50
    world.allowed = True
    assert world.test.tick().ramp.end == "promote"
    assert world.share == 100
    assert [split.epoch for split in world.split.splits()] == [1, 2, 3, 4]


def test_a_step_waits_for_its_requests():
    rules = policy(ramp=(RampStep(1, 0 * HOUR, 50), RampStep(10)))
    state = RampState(START, 0, 1, START)
    known = decide(rules, KNOWN[DecisionState.CONTINUE], since=START, now=START)
    assert next_move(rules, state, known, START, 49, allowed=False) is None
    assert next_move(rules, state, known, START, 50, allowed=False) == Move(10, 1, "step 2 of 2")


def test_a_step_waits_for_its_time(world: World):
    world.test.start("me")
    world.known = KNOWN[DecisionState.CONTINUE]
    world.now += HOUR / 2
    assert world.test.tick().move is None
    world.now += HOUR
    assert world.test.tick().ramp.share == 10


def test_a_split_that_somebody_else_set_holds_the_ramp_and_not_a_rollback(world: World):
    world.test.start("me")
    world.split.set_weights({"a": 60, "b": 40}, "by hand")
    world.known, world.now = KNOWN[DecisionState.CONTINUE], START + HOUR
    found = world.test.tick()
    assert (found.decision.state, found.decision.rule) == (DecisionState.NEEDS_HUMAN, "split_changed")
    assert world.share == 40
    world.known = KNOWN[DecisionState.ROLLBACK]
    world.test.tick()
    assert world.share == 0


def test_starting_twice_stopping_and_not_starting(world: World):
    with pytest.raises(NotFound):
        world.test.tick()
    world.test.start("me")
    with pytest.raises(Conflict):
        world.test.start("me")
    assert world.test.stop("enough").end == "stopped"
    assert world.share == 0
    assert world.test.stop("again").reason == "enough"


def test_one_at_a_time(world: World):
    with world.journal.alone(), pytest.raises(Conflict), world.journal.alone():
        pass


def test_a_start_that_failed_is_gone_on_with_by_the_next_tick(world: World):
    world.split.fail_before = True
    with pytest.raises(OutsideError):
        world.test.start("me")
    world.split.fail_before = False
    world.known = KNOWN[DecisionState.CONTINUE]
    assert world.test.tick().ramp.share == 1
    assert world.share == 1


def test_a_changed_line_of_the_journal_is_reported(world: World):
    world.test.start("me")
    text = world.journal.path.read_text()
    world.journal.path.write_text(text.replace('"me"', '"you"'))
    with pytest.raises(StoreError, match=r"journal.jsonl:1 is damaged"):
        world.test.ramp()


def test_a_torn_last_line_never_happened(world: World):
    world.test.start("me")
    whole = world.journal.path.read_bytes()
    first = whole.index(b"\n") + 1
    for end in range(first, len(whole)):
        world.journal.path.write_bytes(whole[:end])
        events = world.journal.events()
        assert len(events) == whole[:end].count(b"\n")
    world.journal.add({"event": "note", "at": START.isoformat()})
    assert world.journal.events()[-1]["event"] == "note"
