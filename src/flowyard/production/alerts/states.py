"""How the state of an alert follows from the one before and from what was measured: a pure function."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Literal, NamedTuple

from flowyard.production.alerts.model import AlertRule, AlertState, Measured

__all__ = ["News", "Step", "following", "without_rule"]

News = Literal["firing", "resolved"]


class Step(NamedTuple):
    """The new state, and what people are told of it."""

    state: AlertState
    news: News | None = None


def following(before: AlertState | None, rule: AlertRule, measured: Measured, now: datetime) -> Step:
    """What a look makes of a state.

    Too few requests to say anything keep an alert firing and end what was pending. Without any request, it is resolved.
    """
    known = before or AlertState(rule.name, measured.group, "ok", now)
    seen = replace(known, value=measured.value, text=measured.text)
    if measured.holds:
        return _holding(seen, rule, now)
    if known.state == "firing":
        is_over = measured.holds is False or not measured.requests
        return _ended(seen, now) if is_over else Step(known)
    return Step(replace(seen, state="ok", since=now) if known.state == "pending" else seen)


def without_rule(before: AlertState, now: datetime) -> Step:
    """What becomes of an alert whose rule is no more."""
    if before.state == "firing":
        return _ended(replace(before, text="The rule is no more."), now)
    return Step(replace(before, state="ok", since=now))


def _holding(seen: AlertState, rule: AlertRule, now: datetime) -> Step:
    if seen.state in ("ok", "resolved"):
        seen = replace(seen, state="pending", since=now)
    if seen.state == "pending" and now - seen.since >= rule.when.lasting:
        seen = replace(seen, state="firing", since=now, episode=seen.episode + 1, told=False)
    if seen.state != "firing" or seen.told or _is_quiet(seen, rule, now):
        return Step(seen)
    return Step(replace(seen, told=True, last_told=now), "firing")


def _ended(seen: AlertState, now: datetime) -> Step:
    """Nobody is told of the end of what nobody was told of."""
    return Step(replace(seen, state="resolved", since=now), "resolved" if seen.told else None)


def _is_quiet(seen: AlertState, rule: AlertRule, now: datetime) -> bool:
    return seen.last_told is not None and seen.last_told <= now < seen.last_told + rule.cooldown
