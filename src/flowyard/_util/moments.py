"""Times as people read them."""

from __future__ import annotations

from datetime import UTC, datetime

__all__ = ["moment_text"]


def moment_text(time: datetime | str) -> str:
    """``2026-11-22 06:42 UTC``, of a time with its zone, or of its text by ISO 8601. Raises ValueError for no time."""
    moment = datetime.fromisoformat(time) if isinstance(time, str) else time
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
