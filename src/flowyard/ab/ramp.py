"""The ramp: which share the treatment has, and which it gets next. A pure state machine over what was written down."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal

from flowyard.ab.decision.decide import Decision, DecisionState
from flowyard.ab.policy.model import AbPolicy

__all__ = ["End", "Move", "RampState", "event_of", "next_move", "ramp_after"]

End = Literal["promote", "rollback", "invalid", "stopped"]


@dataclass(frozen=True, slots=True)
class Move:
    """A change of the split: the treatment's new percent, the step of the ramp, and how the test ends by it, if so."""

    share: int
    step: int
    reason: str
    end: End | None = None


@dataclass(frozen=True, slots=True)
class RampState:
    """``share`` is in force since ``since``. ``begun`` is a move that may have been carried out, or not."""

    started_at: datetime | None = None
    step: int = -1
    share: int = 0
    since: datetime | None = None
    begun: Move | None = None
    end: End | None = None
    reason: str = ""


def ramp_after(events: Iterable[Mapping[str, Any]]) -> RampState:
    """The state after events as ``event_of`` writes them; those of other kinds change nothing."""
    state = RampState()
    for event in events:
        at = datetime.fromisoformat(event["at"])
        if event["event"] == "started":
            state = RampState(started_at=at)
        elif event["event"] == "begun":
            move = Move(event["share"], event["step"], event["reason"], event["end"])
            state = replace(state, begun=move)
        elif event["event"] == "split" and state.begun is not None:
            done = state.begun
            state = RampState(state.started_at, done.step, done.share, at, None, done.end, done.reason)
    return state


def event_of(event: Literal["begun", "split"], move: Move, at: datetime) -> dict[str, Any]:
    """What is written down before (``begun``) and after (``split``) the split is set."""
    return {
        "event": event,
        "at": at.isoformat(),
        "share": move.share,
        "step": move.step,
        "reason": move.reason,
        "end": move.end,
    }


def next_move(
    policy: AbPolicy, state: RampState, decision: Decision, now: datetime, requests: int, *, allowed: bool
) -> Move | None:
    """What to do now; None to leave all as it is.

    ``requests`` is how many the treatment got with the present split; ``allowed`` whether promotion needs no more yes.
    Rolling back comes first, whatever was begun; what was begun comes before anything new.
    """
    if state.end is not None:
        return None
    if state.begun is not None and state.begun.end not in (None, "promote"):
        return state.begun
    if decision.holds_back:
        return Move(0, -1, f"{decision.state}: {decision.rule}", "invalid" if _is_invalid(decision) else "rollback")
    return state.begun or _forward(policy, state, decision, now, requests, allowed=allowed)


def _forward(
    policy: AbPolicy, state: RampState, decision: Decision, now: datetime, requests: int, *, allowed: bool
) -> Move | None:
    if decision.state is DecisionState.PROMOTE and allowed:
        return Move(100, len(policy.ramp), f"promote: {decision.rule}", "promote")
    if decision.state is not DecisionState.CONTINUE or not _may_advance(policy, state, now, requests):
        return None
    following = state.step + 1
    return Move(policy.ramp[following].share, following, f"step {following + 1} of {len(policy.ramp)}")


def _is_invalid(decision: Decision) -> bool:
    return decision.state is DecisionState.INVALID


def _may_advance(policy: AbPolicy, state: RampState, now: datetime, requests: int) -> bool:
    if state.step + 1 >= len(policy.ramp):
        return False
    if state.step < 0 or state.since is None:
        return True
    step = policy.ramp[state.step]
    return now - state.since >= step.min_duration and requests >= step.min_sample
