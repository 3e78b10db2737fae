"""How the lines of runs are worked through. None of it changes what comes out."""

from __future__ import annotations

from dataclasses import dataclass

from flowyard.sessions.session import Concurrency, FixedConcurrency

__all__ = ["RunOptions"]


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
        return self.concurrency or 16

    def start_concurrency(self) -> Concurrency:
        """What decides, for one run, how many lines run at once."""
        return FixedConcurrency(self.concurrency or 16)
