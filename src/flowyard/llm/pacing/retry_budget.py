"""How many calls may be asked again: a share of what was answered, and a few for the start. Pure."""

from __future__ import annotations

from flowyard.llm.pacing.fields import FREE_RETRY, RETRIES, RETRIES_AT, Fields

__all__ = ["EARNED", "FEW", "FORGIVEN_EVERY_S", "FREE_EVERY_S", "earn", "take"]

EARNED = 0.1
"""The retries that one answer pays for."""
FEW = 20.0
"""The retries that nothing has to pay for."""
FREE_EVERY_S = 1.0
"""How often a refused call may be asked again although the budget is used up, so that a run never stands still."""
FORGIVEN_EVERY_S = 30.0
"""How long it takes to forget one retry that nothing has paid for: the next run should not suffer from the last."""
_MOST_SAVED = 100.0


def earn(fields: Fields, answers: float) -> None:
    """Calls were answered."""
    fields[RETRIES] = max(FEW - _MOST_SAVED, fields[RETRIES] - EARNED * answers)


def take(fields: Fields, now: float, *, refused: bool) -> bool:
    """Take one retry; False when the budget is used up. Of refused calls one may go now and then all the same."""
    if fields[RETRIES] > 0:
        forgiven = (now - fields[RETRIES_AT]) / FORGIVEN_EVERY_S
        fields[RETRIES] = max(0.0, fields[RETRIES] - forgiven)
    fields[RETRIES_AT] = now
    if fields[RETRIES] + 1 <= FEW:
        fields[RETRIES] += 1
        return True
    if refused and now >= fields[FREE_RETRY] + FREE_EVERY_S:
        fields[FREE_RETRY] = now
        return True
    return False
