"""One tick of a test: read what is known, decide, act. Killed anywhere, the next tick goes on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from flowyard.ab.decision.decide import Decision, DecisionState, decide
from flowyard.ab.evidence.model import Evidence, EvidenceSource
from flowyard.ab.journal import AbJournal
from flowyard.ab.policy.model import AbPolicy
from flowyard.ab.ramp import Move, RampState, event_of, next_move, ramp_after
from flowyard.abc import Splitter
from flowyard.errors import Conflict, NotFound

__all__ = ["Standing", "Test", "Tick"]


@dataclass(frozen=True, slots=True)
class Standing:
    """Whether a promotion may be carried out, and in a sentence why or why not (yet).

    ``request`` is the id of the question to people, once it is asked; ``is_pending`` that an answer is awaited.
    """

    allowed: bool
    why: str
    request: str | None = None
    is_pending: bool = False


@dataclass(frozen=True, slots=True)
class Tick:
    """What a look at a test found and what was done: ``move`` is None when nothing was."""

    decision: Decision
    ramp: RampState
    move: Move | None = None
    standing: Standing | None = None


@dataclass(frozen=True, slots=True)
class Test:
    """A test with all that it works with.

    ``ask`` asks for the yes to a promotion, each time anew, and never waits; ``find`` says what came of it and asks
    nobody.
    """

    __test__ = False  # no test of ours, whatever its name says to pytest

    policy: AbPolicy
    journal: AbJournal
    splitter: Splitter
    evidence: EvidenceSource
    clock: Callable[[], datetime]
    ask: Callable[[Decision], Standing]
    find: Callable[[Decision], Standing]

    def start(self, by: str) -> RampState:
        """Write down that it begins, and set the first share; goes on with a start whose share was never set.

        Raises Conflict when it runs already or has ended, OutsideError.
        """
        with self.journal.alone():
            before = self.ramp()
            if before.since is not None:
                hint = (
                    f"flowyard ab status has it. Another 'name' in ab.yaml begins another test, of the same requests "
                    f"with 'experiment: {self.policy.experiment}'. Its journal is {self.journal.path}."
                )
                raise Conflict(f"The test {self.policy.name} was started before.", hint=hint)
            self.splitter.weights()  # a splitter that cannot be reached is better known before anything is written
            if before.started_at is None:
                self.journal.add({"event": "started", "at": self._now(), "by": by, "name": self.policy.name})
            self._carry_out(Move(self.policy.ramp[0].share, 0, f"step 1 of {len(self.policy.ramp)}"))
            return self.ramp()

    def ramp(self) -> RampState:
        """Where the ramp is. Raises StoreError for a damaged journal."""
        return ramp_after(self.journal.events())

    def look(self) -> Tick:
        """Decide, and change nothing. Raises NotFound before the start, UserError and OutsideError."""
        ramp = self._started()
        decision = self._decide(ramp)
        return Tick(decision, ramp, standing=self._standing(decision, ramp, self.find))

    def seen(self) -> Evidence:
        """All that is known of it. Raises what ``look`` does."""
        started_at = self._started().started_at
        assert started_at is not None
        return self.evidence.read(self.policy, started_at, self.splitter.splits())

    def tick(self) -> Tick:
        """Decide and do what follows from it. A rollback is in force when this returns. Raises what ``look`` does."""
        with self.journal.alone():
            ramp = self._started()
            decision = self._decide(ramp)
            if ramp.end is None:
                self._note(decision)
            standing = self._standing(decision, ramp, self.ask)
            move = next_move(
                self.policy,
                ramp,
                decision,
                self.clock(),
                self._requests(decision),
                allowed=standing is not None and standing.allowed,
            )
            if move is not None:
                self._carry_out(move)
            return Tick(decision, self.ramp(), move, standing)

    def stop(self, reason: str) -> RampState:
        """End it by a person's word: the treatment gets nothing more. An ended one stays as it is."""
        with self.journal.alone():
            if self._started().end is None:
                self._carry_out(Move(0, -1, reason, "stopped"))
            return self.ramp()

    def _started(self) -> RampState:
        ramp = self.ramp()
        if ramp.started_at is None:
            raise NotFound(f"The test {self.policy.name} was not started.", hint="flowyard ab start USECASE")
        return ramp

    def _decide(self, ramp: RampState) -> Decision:
        assert ramp.started_at is not None
        evidence = self.evidence.read(self.policy, ramp.started_at, self.splitter.splits())
        decision = decide(self.policy, evidence, since=ramp.started_at, now=self.clock())
        actual = self._actual_share()
        if ramp.end is None and ramp.begun is None and not decision.holds_back and abs(actual - ramp.share) > 0.5:
            reason = f"The treatment has {actual:g} % of the requests, not {ramp.share} %: somebody else set the split."
            return replace(decision, state=DecisionState.NEEDS_HUMAN, rule="split_changed", reasons=(reason,))
        return decision

    def _actual_share(self) -> float:
        weights = self.splitter.weights()
        both = weights.get(self.policy.control, 0) + weights.get(self.policy.treatment, 0)
        return 100 * weights.get(self.policy.treatment, 0) / both if both else 0.0

    def _standing(self, decision: Decision, ramp: RampState, asked: Callable[[Decision], Standing]) -> Standing | None:
        """Whether somebody has to say yes to a promotion; None when there is none."""
        if decision.state is not DecisionState.PROMOTE or ramp.end is not None:
            return None
        return Standing(True, "decide: auto") if self.policy.decide == "auto" else asked(decision)

    def _requests(self, decision: Decision) -> int:
        """How many requests the treatment got with the present split."""
        splits = self.splitter.splits()
        present = splits[-1].epoch if splits else None
        return sum(each.treatment.requests for each in decision.epochs if each.number == present)

    def _carry_out(self, move: Move) -> None:
        """Written down before, so that it is done after a kill, and after, so that it is done once."""
        self.journal.add(event_of("begun", move, self.clock()))
        weights = {self.policy.control: float(100 - move.share), self.policy.treatment: float(move.share)}
        self.splitter.set_weights(weights, f"{self.policy.name}: {move.reason}")
        self.journal.add(event_of("split", move, self.clock()))

    def _note(self, decision: Decision) -> None:
        """Write a decision down when it is another one than before."""
        noted = [event for event in self.journal.events() if event["event"] == "decision"]
        found = {"state": str(decision.state), "rule": decision.rule}
        if not noted or any(noted[-1][key] != value for key, value in found.items()):
            self.journal.add({"event": "decision", "at": self._now(), **found, "reasons": list(decision.reasons)})

    def _now(self) -> str:
        return self.clock().isoformat()
