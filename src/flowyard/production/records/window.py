"""A span of time that records are looked at in."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from flowyard.production.records.instants import milliseconds

__all__ = ["Window"]


@dataclass(frozen=True, slots=True)
class Window:
    """From ``since`` on to before ``until``, both with their zone."""

    since: datetime
    until: datetime

    @property
    def length_s(self) -> float:
        """Seconds."""
        return (self.until - self.since).total_seconds()

    @property
    def values(self) -> tuple[int, int]:
        """Both ends in milliseconds since 1970."""
        return milliseconds(self.since), milliseconds(self.until)
