"""Durations as people write them in files: ``1h30m``."""

from __future__ import annotations

import re
from datetime import timedelta

__all__ = ["DURATION_FORM", "LONGEST", "duration_text", "parse_age", "parse_duration"]

LONGEST = timedelta(days=30)
"""The longest time there is for anything, as with the environments of GitHub."""

DURATION_FORM = {
    "type": "string",
    "pattern": r"^\s*(?=[0-9])([0-9]{1,6}d)?([0-9]{1,6}h)?([0-9]{1,6}m)?([0-9]{1,6}s)?\s*$",
}
"""A duration for a JSON schema, which knows no upper end."""

_DURATION = re.compile(r"(?=[0-9])(?:([0-9]{1,6})d)?(?:([0-9]{1,6})h)?(?:([0-9]{1,6})m)?(?:([0-9]{1,6})s)?")
_AGE = re.compile(r"([0-9]{1,6})([smhdw])")
_AGE_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_UNITS = (("d", 86_400), ("h", 3600), ("m", 60), ("s", 1))


def parse_duration(text: str) -> timedelta:
    """``45s``, ``60m``, ``2h``, ``1h30m`` or ``1d``. Raises ValueError for anything else, nothing, and over 30 days."""
    found = _DURATION.fullmatch(text.strip())
    if not found:
        raise ValueError(f"{text!r} is no duration: write 45s, 60m, 2h, 1h30m or 1d")
    days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
    duration = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
    if not timedelta(0) < duration <= LONGEST:
        raise ValueError(f"{text!r} is not between 1s and 30d")
    return duration


def parse_age(text: str) -> timedelta | None:
    """How long ago, as in ``--since 30m``: one number with s, m, h, d or w; None for what is written otherwise."""
    found = _AGE.fullmatch(text.strip())
    return timedelta(**{_AGE_UNITS[found[2]]: int(found[1])}) if found else None


def duration_text(duration: timedelta) -> str:
    """The reverse, in whole seconds: ``1h30m``; ``0s`` for none."""
    left, found = round(duration.total_seconds()), ""
    for unit, size in _UNITS:
        if count := left // size:
            found += f"{count}{unit}"
        left %= size
    return found or "0s"
