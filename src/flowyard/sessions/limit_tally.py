"""Which limit of lines at once was in force when a line began, noted where the lines run.

Whoever sets the limit hears of ended lines only some milliseconds later, when others have begun in their place. Times
cannot tell it which of them began before the limit changed; numbers can.
"""

from __future__ import annotations

import threading

from flowyard.sessions.session import LimitSeen

__all__ = ["LimitTally"]


class LimitTally:
    """Counts the lines that run, and those among them that began before the limit was set last. Thread-safe."""

    def __init__(self) -> None:
        self._number = 0
        self._running = 0
        self._earlier = 0
        self._seen = LimitSeen()
        self._lock = threading.Lock()

    def limit_set(self, number: int) -> None:
        """The limit was set for the ``number``-th time; the lines that run now began earlier."""
        with self._lock:
            if number != self._number:
                self._number, self._earlier = number, self._running

    def began(self) -> int:
        """A line begins. The number is what ``ended`` wants to know."""
        with self._lock:
            self._running += 1
            return self._number

    def ended(self, began_under: int) -> LimitSeen:
        """A line ended that began under the limit of that number."""
        with self._lock:
            self._running -= 1
            self._earlier -= began_under != self._number
            seen = (began_under, self._number, self._earlier)
            if seen != self._seen:  # one object for many lines travels once in a message
                self._seen = LimitSeen(*seen)
            return self._seen
