"""Times as people read them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

__all__ = ["duration_text", "minute", "moment_text"]


def moment_text(time: datetime | str) -> str:
    """``2026-11-22 06:42 UTC``, of a time with its zone, or of its text by ISO 8601. Raises ValueError for no time."""
    moment = datetime.fromisoformat(time) if isinstance(time, str) else time
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def minute(time: str) -> str:
    """A time in ISO 8601 and UTC as a table shows it below a head that says UTC: ``2025-03-01 10:20``."""
    return time[:16].replace("T", " ")


def duration_text(duration: timedelta) -> str:
    """As people write it: ``7d``, ``1h30m``, ``45s``; ``0s`` for none."""
    minutes, seconds = divmod(round(duration.total_seconds()), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    parts = ((days, "d"), (hours, "h"), (minutes, "m"), (seconds, "s"))
    return "".join(f"{number}{unit}" for number, unit in parts if number) or "0s"
