"""Moments as the whole milliseconds since 1970 that the tables have."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

__all__ = ["milliseconds", "moment"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


def milliseconds(at: datetime) -> int:
    """A moment with its zone as milliseconds since 1970."""
    return (at - _EPOCH) // _MILLISECOND


def moment(at_ms: int) -> datetime:
    """The reverse of ``milliseconds``, in UTC."""
    return _EPOCH + at_ms * _MILLISECOND
