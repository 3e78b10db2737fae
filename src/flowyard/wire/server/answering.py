"""What answers a request that needs no task."""

from __future__ import annotations

from typing import Protocol

__all__ = ["Answering"]


class Answering(Protocol):
    """A request that is answered without a task: it ends by ``answer``, ``go_on`` or ``cut`` of its connection."""

    def cancel(self) -> object:
        """Nobody waits for the answer any more: stop, and ``cut``."""

    def late(self) -> object:
        """The deadline of the connection has passed: stop, and end in one of these ways."""
