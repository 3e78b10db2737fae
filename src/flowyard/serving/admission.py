"""How many lines are under way, and when one is too many."""

from __future__ import annotations

from flowyard.wire import Refusal

__all__ = ["Admission"]


class Admission:
    """Lets ``at_once`` lines in; more are refused at once, which is cheaper for all than letting them wait."""

    def __init__(self, at_once: int) -> None:
        self.at_once = at_once
        self.under_way = 0
        self.is_closing = False

    def enter(self) -> None:
        """Count one line; whoever entered must leave. Raises Refusal."""
        self.require_room()
        self.under_way += 1

    def require_room(self) -> None:
        """Raises Refusal when no more lines may enter."""
        if self.under_way >= self.at_once:
            raise Refusal(429, f"{self.at_once} requests are under way, which is the limit.", retry_after_s=1)

    def leave(self) -> None:
        self.under_way -= 1
