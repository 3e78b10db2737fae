"""The circuit breaker: after failures in a row nobody asks, until one probe was answered. Pure functions on the fields.

    closed ──FAILURES_TO_OPEN in a row──▶ open ──its time is over──▶ half-open: one probe
      ▲                                    ▲                              │
      └────────── probe answered ──────────┼──────────────────────────────┤
                                           └─────── probe failed ─────────┘

A probe that neither answers nor fails (its process was killed) is lost after ``PROBE_S``, and the next caller probes.
"""

from __future__ import annotations

from typing import Literal

from flowyard.llm.pacing.fields import (
    FAILURES,
    OPEN_UNTIL,
    OPENINGS,
    OUTAGE_SINCE,
    PROBE,
    PROBE_UNTIL,
    Fields,
)

__all__ = ["FAILURES_TO_OPEN", "NO_PROBE", "PROBE_S", "abandon", "answered", "ask", "failed", "state"]

FAILURES_TO_OPEN = 10
PROBE_S = 60.0
NO_PROBE = 0.0
_FIRST_OPEN_S, _LONGEST_OPEN_S = 1.0, 30.0
_LOOK_AGAIN_S = 0.1


def state(fields: Fields, now: float) -> Literal["closed", "open", "half-open"]:
    """Half-open as soon as a probe may be, or is, under way."""
    if not fields[OPEN_UNTIL]:
        return "closed"
    return "open" if now < fields[OPEN_UNTIL] else "half-open"


def ask(fields: Fields, now: float) -> tuple[float, float]:
    """``(seconds to wait before asking again, number of the probe)``; who need not wait may call.

    The number is NO_PROBE unless the caller is the probe, who must say how the call went.
    """
    if not fields[OPEN_UNTIL]:
        return 0.0, NO_PROBE
    if now < fields[OPEN_UNTIL]:
        return fields[OPEN_UNTIL] - now, NO_PROBE
    if now < fields[PROBE_UNTIL]:
        return min(_LOOK_AGAIN_S, fields[PROBE_UNTIL] - now), NO_PROBE
    fields[PROBE] += 1
    fields[PROBE_UNTIL] = now + PROBE_S
    return 0.0, fields[PROBE]


def answered(fields: Fields, probe: float) -> None:
    """A call was answered. Calls from before the breaker opened change nothing while it is open."""
    if not fields[OPEN_UNTIL] or _is_current(fields, probe):
        for field in (OPEN_UNTIL, PROBE_UNTIL, FAILURES, OPENINGS, OUTAGE_SINCE):
            fields[field] = 0.0


def failed(fields: Fields, now: float, probe: float) -> None:
    """A call failed. Calls from before the breaker opened change nothing while it is open."""
    if not fields[OPEN_UNTIL]:
        fields[OUTAGE_SINCE] = fields[OUTAGE_SINCE] or now
        fields[FAILURES] += 1
        if fields[FAILURES] >= FAILURES_TO_OPEN:
            _open(fields, now)
    elif _is_current(fields, probe):
        fields[PROBE_UNTIL] = 0.0
        _open(fields, now)


def abandon(fields: Fields, probe: float) -> None:
    """The call was given up: if it was the probe, the next caller is."""
    if _is_current(fields, probe):
        fields[PROBE_UNTIL] = 0.0


def _is_current(fields: Fields, probe: float) -> bool:
    return probe != NO_PROBE and probe == fields[PROBE] and fields[PROBE_UNTIL] > 0


def _open(fields: Fields, now: float) -> None:
    fields[OPENINGS] += 1
    fields[OPEN_UNTIL] = now + min(_LONGEST_OPEN_S, _FIRST_OPEN_S * 2.0 ** min(fields[OPENINGS] - 1, 10))
