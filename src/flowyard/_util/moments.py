"""Times as people read them."""

from __future__ import annotations

from datetime import UTC, datetime

__all__ = ["minute", "moment_text"]


def moment_text(time: datetime | str) -> str:
    """``2026-11-22 06:42 UTC``, of a time with its zone, or of its text by ISO 8601. Raises ValueError for no time."""
    moment = datetime.fromisoformat(time) if isinstance(time, str) else time
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def minute(time: str) -> str:
    """A time in ISO 8601 and UTC as a table shows it below a head that says UTC: ``2025-03-01 10:20``."""
    return time[:16].replace("T", " ")
