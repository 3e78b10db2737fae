"""What the records of one request say: outcomes, covariates and costs, from data that nobody can be trusted with."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from flowyard._util.numbers import LARGEST, is_finite
from flowyard.ab.policy import PrimaryMetric
from flowyard.production.model import is_failed_status

__all__ = ["Joined", "has_failed", "is_of_another_arm", "is_unsafe", "moment", "number", "outcome", "value_at"]

Joined = Mapping[str, Mapping[str, Any]]
"""The records of one request by their kind; of several of one kind the first."""

_LEAST_STATUS, _FIRST_FAILURE = 100, 400


def moment(record: Mapping[str, Any]) -> datetime | None:
    """When it was written; None when it does not say so. A time without a zone is UTC."""
    at = record.get("at")
    try:
        found = datetime.fromisoformat(at) if isinstance(at, str) else None
    except ValueError:
        return None
    return found.replace(tzinfo=UTC) if found is not None and found.tzinfo is None else found


def value_at(joined: Joined, field: str) -> Any:
    """The value at ``KIND.KEY.KEY``; None when there is none. It may be below the kind as a key once more."""
    kind, *keys = field.split(".")
    record = joined.get(kind)
    if record is None:
        return None
    found = _inside(record, keys)
    return _inside(record, [kind, *keys]) if found is None else found


def _inside(record: Any, keys: list[str]) -> Any:
    for key in keys:
        if not isinstance(record, Mapping):
            return None
        record = record.get(key)
    return record


def number(value: Any) -> float | None:
    """A finite number of a sane size, truth values too; None for everything else."""
    return float(value) if is_finite(value) and abs(value) <= LARGEST else None


def outcome(primary: PrimaryMetric, joined: Joined) -> float | None:
    """1 or 0 for a success or failure, or the number; None while it is unknown."""
    if primary.metric == "no_error":
        return 0.0 if has_failed(joined) else 1.0
    if is_of_another_arm(joined):
        return None
    value = value_at(joined, str(primary.field))
    if primary.metric == "field":
        return number(value)
    if primary.at_least is not None:
        found = number(value)
        return None if found is None else float(found >= primary.at_least)
    if value is None or isinstance(value, dict | list):
        return None
    return float(any(value == each and isinstance(value, bool) == isinstance(each, bool) for each in primary.success))


def is_of_another_arm(joined: Joined) -> bool:
    """Whether another arm answered because the unit's own could not.

    The unit counts where it was assigned, as a failure. What the answer took, cost and was thought of counts for no
    arm: it says nothing of the assigned one, behind which no other is left once it is promoted.
    """
    return bool(joined["exposure"].get("chosen_by") == "fallback")


def has_failed(joined: Joined) -> bool:
    """Whether the service failed the caller; what only the caller did wrong is no failure of the service.

    A flow that raises answers with 400. Where another arm answered in its place, the unit's own arm failed.
    """
    status = joined["exposure"].get("status")
    if is_of_another_arm(joined) or not isinstance(status, int) or status < _LEAST_STATUS or is_failed_status(status):
        return True
    return status < _FIRST_FAILURE and bool(joined.get("exchange", {}).get("error"))


def is_unsafe(joined: Joined, field: str | None) -> bool | None:
    """Whether a judge of safety said no: false, 0 or "fail"; None when nobody judged."""
    value = None if field is None else value_at(joined, field)
    if value is None or isinstance(value, dict | list):
        return None
    return value.strip().lower() in ("fail", "failed", "false", "no", "unsafe") if isinstance(value, str) else not value
