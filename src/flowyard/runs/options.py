"""How the lines of runs are worked through. None of it changes what comes out."""

from __future__ import annotations

from dataclasses import dataclass

from flowyard.runs.concurrency import AdaptiveConcurrency
from flowyard.sessions.session import Concurrency, FixedConcurrency

__all__ = ["RunOptions"]

_MOST_FOUND = 1024
"""What ``auto`` never goes above: more connections than this are refused by machines before servers mind."""


@dataclass(frozen=True, slots=True)
class RunOptions:
    """``concurrency`` is how many lines run at once; None finds the best number while the run goes.

    ``line_timeout_s`` ends a line that takes longer.
    """

    concurrency: int | None = 16
    line_timeout_s: float | None = None

    @property
    def most_at_once(self) -> int:
        """How many lines can ever run at once."""
        return self.concurrency or _MOST_FOUND

    def start_concurrency(self) -> Concurrency:
        """What decides, for one run, how many lines run at once."""
        return FixedConcurrency(self.concurrency) if self.concurrency else AdaptiveConcurrency(highest=_MOST_FOUND)
