"""How many units have an outcome a day, before a test begins: what its plan reckons with."""

from __future__ import annotations

from datetime import datetime, timedelta

from flowyard.ab.evidence.model import EvidenceSource
from flowyard.ab.policy.model import AbPolicy

__all__ = ["LOOKED_BACK", "units_per_day"]

LOOKED_BACK = timedelta(days=7)


def units_per_day(policy: AbPolicy, source: EvidenceSource, now: datetime) -> float | None:
    """Of the last seven days, as far back as there are records; None when there is no outcome. Raises as ``read`` does.

    A unit that comes back counts once in that time, so that it is less than the sum of the days.
    """
    evidence = source.read(policy, now - LOOKED_BACK, ())
    units = sum(arm.values for arm in evidence.total())
    if not units or evidence.first_at is None or evidence.first_at >= now:
        return None
    return units / max((now - evidence.first_at) / timedelta(days=1), 1 / 24)
