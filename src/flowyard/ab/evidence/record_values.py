"""What the records of one request say: outcomes, covariates and costs, from data that nobody can be trusted with."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from flowyard._util.numbers import LARGEST, is_finite
from flowyard.ab.policy.model import PrimaryMetric
from flowyard.production.records.model import is_failed_status
from flowyard.production.records.opinion import opinion_of

__all__ = [
    "Joined",
    "has_failed",
    "is_of_another_arm",
    "is_simulated",
    "is_too_low",
    "is_unsafe",
    "known_at",
    "moment",
    "number",
    "outcome",
    "value_at",
]

Joined = Mapping[str, Mapping[str, Any]]
"""The records of one request by their kind; of several of one kind the first."""

_JUDGEMENT = "judgement"
"""The kind of a record with what evaluators said of an answer: ``by``, then the evaluator's name, ``outputs``."""
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
    """The value at ``KIND.KEY.KEY``; None when there is none. It may be below the kind as a key once or twice more.

    A server keeps the body of ``/feedback`` as prompt flow does: under ``feedback``, in the record's ``feedback``.
    """
    kind, *keys = field.split(".")
    record = joined.get(kind)
    if record is None:
        return None
    if kind == _JUDGEMENT:
        said, name = _said(record, field)
        found = _inside(said, ["outputs", name])
        return _inside(said, ["outputs", *name.split(".")]) if found is None else found
    places = (keys, [kind, *keys], [kind, kind, *keys])
    return next((found for place in places if (found := _inside(record, place)) is not None), None)


def known_at(joined: Joined, field: str) -> datetime | None:
    """When the record of that field was written; a judgement when that evaluator judged. None without one."""
    kind = field.partition(".")[0]
    record = joined.get(kind)
    if record is None:
        return None
    return moment(_said(record, field)[0] if kind == _JUDGEMENT else record)


def _said(record: Mapping[str, Any], field: str) -> tuple[Mapping[str, Any], str]:
    """What the evaluator of a field said, and the rest of the field; the names of both may hold dots."""
    rest = field.removeprefix(f"{_JUDGEMENT}.")
    said = record.get("by")
    names = [name for name in said if rest.startswith(f"{name}.")] if isinstance(said, Mapping) else []
    if not isinstance(said, Mapping) or not names:
        return {}, ""
    name = max(names, key=len)
    found = said[name]
    return (found if isinstance(found, Mapping) else {}), rest[len(name) + 1 :]


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
    if primary.field is None:
        return _liked(joined.get("feedback", {}).get("feedback"))
    value = value_at(joined, primary.field)
    if primary.metric == "field":
        return number(value)
    if primary.at_least is not None:
        found = number(value)
        return None if found is None else float(found >= primary.at_least)
    return _success(primary, value)


def _success(primary: PrimaryMetric, value: Any) -> float | None:
    if value is None or isinstance(value, dict | list):
        return None
    return float(any(value == each and isinstance(value, bool) == isinstance(each, bool) for each in primary.success))


def is_of_another_arm(joined: Joined) -> bool:
    """Whether another arm answered because the unit's own could not.

    The unit counts where it was assigned, as a failure. What the answer took, cost and was thought of counts for no
    arm: it says nothing of the assigned one, behind which no other is left once it is promoted.
    """
    return bool(joined["exposure"].get("chosen_by") == "fallback")


def _liked(feedback: Any) -> float | None:
    positive = opinion_of(feedback).positive if feedback is not None else None
    return None if positive is None else float(positive)


def has_failed(joined: Joined) -> bool:
    """Whether the service failed the caller; what only the caller did wrong is no failure of the service.

    A flow that raises answers with 400. Where another arm answered in its place, the unit's own arm failed.
    """
    status = joined["exposure"].get("status")
    if is_of_another_arm(joined) or not isinstance(status, int) or status < _LEAST_STATUS or is_failed_status(status):
        return True
    return status < _FIRST_FAILURE and bool(joined.get("exchange", {}).get("error"))


def is_simulated(joined: Joined) -> bool:
    """Whether a simulated model answered, or judged the answer: such a request says nothing of the real ones."""
    by = joined.get(_JUDGEMENT, {}).get("by")
    judged = by.values() if isinstance(by, Mapping) else ()
    return joined.get("exchange", {}).get("simulated") is True or any(
        isinstance(each, Mapping) and each.get("simulated") is True for each in judged
    )


def is_too_low(joined: Joined, field: str, at_least: float) -> bool | None:
    """Whether a judge gave less than is enough; None when nobody judged, or when the other arm answered."""
    found = number(value_at(joined, field))
    return None if found is None or is_of_another_arm(joined) else found < at_least


def is_unsafe(joined: Joined, field: str | None) -> bool | None:
    """Whether a judge of safety said no: false, 0 or "fail"; None when nobody judged."""
    value = None if field is None else value_at(joined, field)
    if value is None or isinstance(value, dict | list):
        return None
    return value.strip().lower() in ("fail", "failed", "false", "no", "unsafe") if isinstance(value, str) else not value
