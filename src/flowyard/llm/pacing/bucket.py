"""A rate limit as a bucket that fills evenly. Pure: the only state is the time at which the bucket is full again."""

from __future__ import annotations

from dataclasses import dataclass

from flowyard.llm.pacing.limits import RateLimit

__all__ = ["Bucket", "request_bucket", "token_bucket"]

_MINUTE_S = 60.0
_BURST = 0.02
_TOKEN_BURST = 0.05
_ROUNDING_S = 1e-9


@dataclass(frozen=True, slots=True)
class Bucket:
    """Holds up to ``capacity`` and fills by ``per_s`` a second. What is larger than the bucket waits for a full one.

    ``full_at`` is the state: when the bucket is full, if nothing more is taken.
    """

    capacity: float
    per_s: float

    def wait_s(self, full_at: float, now: float, amount: float) -> float:
        """Seconds until the amount can be taken; 0 when it can be now."""
        room = self.capacity - min(amount, self.capacity)
        wait = full_at - now - room / self.per_s
        return wait if wait > _ROUNDING_S else 0.0

    def taken(self, full_at: float, now: float, amount: float) -> float:
        """The state after an amount was taken; a negative one is given back."""
        return max(full_at, now) + amount / self.per_s


def request_bucket(limit: RateLimit) -> Bucket | None:
    """At most ``rpm`` requests in any minute, whenever it starts: what a burst may add, the filling leaves out."""
    if limit.rpm is None:
        return None
    burst = max(1.0, float(int(limit.rpm * _BURST)))
    return Bucket(burst, (limit.rpm - burst + 1 if limit.rpm >= 1 else limit.rpm) / _MINUTE_S)


def token_bucket(limit: RateLimit) -> Bucket | None:
    """At most ``tpm`` tokens in any minute, as long as no single call is larger than the burst."""
    if limit.tpm is None:
        return None
    burst = limit.tpm * _TOKEN_BURST
    return Bucket(burst, (limit.tpm - burst) / _MINUTE_S)
