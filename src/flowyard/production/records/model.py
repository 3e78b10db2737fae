"""The three kinds of production records as values, and reading them from the lines of a file."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from flowyard.production.records.instants import milliseconds

__all__ = ["ExchangeRecord", "ExposureRecord", "FeedbackRecord", "Record", "is_failed_status", "parse_record"]

_CALLERS_OWN = frozenset({401, 403, 404, 405, 406, 411, 413, 414, 415, 431, 499})
"""Statuses that say something of the caller only: no key, no such route, a body that is too large, gone away."""
_LARGEST = 2**63 - 1


@dataclass(frozen=True, slots=True)
class ExchangeRecord:
    """A request to a served flow and its answer.

    ``id`` is the time, so that new ones are stored beside each other, and the digest of the line. ``at`` is when it
    ended, in UTC. ``status`` is that of HTTP; ``error`` says what failed. ``cost_usd`` leaves out ``unpriced_calls`` of
    models. ``text`` is the record as JSON.
    """

    id: str
    at: datetime
    flow: str
    version: str
    route: str
    request_id: str
    trace_id: str
    span_id: str
    status: int
    latency_s: float
    first_piece_s: float | None
    models: tuple[str, ...]
    prompt_tokens: int
    completion_tokens: int
    model_calls: int
    cost_usd: float
    unpriced_calls: int
    error: str | None
    inputs: Mapping[str, Any]
    outputs: Mapping[str, Any]
    text: str

    @property
    def is_failed(self) -> bool:
        """Whether the caller got no answer for a reason that is not the caller's own."""
        return is_failed_status(self.status)


@dataclass(frozen=True, slots=True)
class FeedbackRecord:
    """What a person thinks of an answer: of trace ``trace_id``, and when it is known of its span ``span_id``."""

    id: str
    at: datetime
    flow: str
    version: str
    request_id: str
    trace_id: str
    span_id: str
    feedback: Mapping[str, Any]
    baggage: Mapping[str, Any]
    text: str


@dataclass(frozen=True, slots=True)
class ExposureRecord:
    """A gateway's choice of an arm for a request. ``unit`` is a keyed hash of whom it chose for, never the name itself.

    ``epoch`` counts how often the weights were changed. A ``mirror`` answer was seen by nobody. ``chosen_by`` is
    ``weights``, ``override`` where a tester's header chose, or ``fallback`` where ``arm`` answered because the
    ``assigned`` one could not be reached, with ``assigned_version`` (a gateway that does not say it: ``arm`` itself).
    """

    id: str
    at: datetime
    experiment: str
    unit: str
    arm: str
    version: str
    assigned: str
    assigned_version: str
    epoch: int
    request_id: str
    trace_id: str
    status: int
    latency_s: float | None
    first_piece_s: float | None
    mirror: bool
    chosen_by: str
    text: str

    @property
    def is_failed(self) -> bool:
        """Whether the assigned arm gave no answer for a reason that is not the caller's own."""
        return self.assigned != self.arm or is_failed_status(self.status)


Record = ExchangeRecord | FeedbackRecord | ExposureRecord


def is_failed_status(status: int) -> bool:
    """400 and above, but for what the caller did wrong; 400 itself counts, as a flow that raises answers with it."""
    return status >= 400 and status not in _CALLERS_OWN


def parse_record(line: bytes) -> Record | None:
    """The record of one line; None when it is of a kind that is not known here. Unknown fields are left alone.

    Raises ValueError, with the reason, for a line that is no record or lacks what its kind must have.
    """
    stripped = line.strip()
    try:
        text = stripped.decode()
        found = json.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except ValueError:
        raise ValueError("it is no JSON") from None
    if not isinstance(found, dict):
        raise ValueError("it is no JSON object")
    kind = found.get("kind")
    if not isinstance(kind, str):
        raise ValueError("it has no 'kind'")
    reader = _READERS.get(kind)
    if reader is None:
        return None
    fields = _Fields(found)
    at = fields.moment("at")
    return reader(fields, at, f"{milliseconds(at):012x}-{hashlib.blake2b(stripped, digest_size=16).hexdigest()}", text)


class _Fields:
    """The fields of a record, each checked when it is asked for."""

    def __init__(self, found: Mapping[str, Any]) -> None:
        self._found = found

    def text(self, name: str, default: str | None = None) -> str:
        value = self._found.get(name)
        if value is None and default is not None:
            return default
        if not isinstance(value, str):
            raise _wrong(name, "text")
        return value

    def optional_text(self, name: str) -> str | None:
        return None if self._found.get(name) is None else self.text(name)

    def moment(self, name: str) -> datetime:
        try:
            moment = datetime.fromisoformat(self.text(name))
            return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
        except (ValueError, OverflowError):
            raise _wrong(name, "a time") from None

    def whole(self, name: str, default: int | None = None) -> int:
        value = self._found.get(name)
        if value is None and default is not None:
            return default
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _LARGEST:
            raise _wrong(name, "a whole number from 0")
        return value

    def number(self, name: str) -> float | None:
        value = self._found.get(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e15:
            raise _wrong(name, "a number from 0")
        return float(value)

    def required_number(self, name: str) -> float:
        value = self.number(name)
        if value is None:
            raise _wrong(name, "a number")
        return value

    def switch(self, name: str) -> bool:
        value = self._found.get(name, False)
        if not isinstance(value, bool):
            raise _wrong(name, "true or false")
        return value

    def mapping(self, name: str) -> Mapping[str, Any]:
        value = self._found.get(name)
        if value is None:
            return {}
        if not isinstance(value, dict):
            raise _wrong(name, "an object")
        return value

    def texts(self, name: str) -> tuple[str, ...]:
        value = self._found.get(name)
        if value is None:
            return ()
        if not isinstance(value, list):
            raise _wrong(name, "a list")
        return tuple(map(str, value))


def _wrong(name: str, wanted: str) -> ValueError:
    return ValueError(f"{name!r} must be {wanted}")


def _exchange(fields: _Fields, at: datetime, id_: str, text: str) -> ExchangeRecord:
    return ExchangeRecord(
        id=id_,
        at=at,
        flow=fields.text("flow"),
        version=fields.text("version", ""),
        route=fields.text("route", ""),
        request_id=fields.text("request_id"),
        trace_id=fields.text("trace_id", ""),
        span_id=fields.text("span_id", ""),
        status=fields.whole("status"),
        latency_s=fields.required_number("latency_s"),
        first_piece_s=fields.number("first_piece_s"),
        models=fields.texts("models"),
        prompt_tokens=fields.whole("prompt_tokens", 0),
        completion_tokens=fields.whole("completion_tokens", 0),
        model_calls=fields.whole("model_calls", 0),
        cost_usd=fields.number("cost_usd") or 0.0,
        unpriced_calls=fields.whole("unpriced_calls", 0),
        error=fields.optional_text("error"),
        inputs=fields.mapping("inputs"),
        outputs=fields.mapping("outputs"),
        text=text,
    )


def _feedback(fields: _Fields, at: datetime, id_: str, text: str) -> FeedbackRecord:
    return FeedbackRecord(
        id=id_,
        at=at,
        flow=fields.text("flow", ""),
        version=fields.text("version", ""),
        request_id=fields.text("request_id"),
        trace_id=fields.text("trace_id", ""),
        span_id=fields.text("span_id", ""),
        feedback=fields.mapping("feedback"),
        baggage=fields.mapping("baggage"),
        text=text,
    )


def _exposure(fields: _Fields, at: datetime, id_: str, text: str) -> ExposureRecord:
    arm, version = fields.text("arm"), fields.text("version", "")
    assigned = fields.text("assigned", arm)
    return ExposureRecord(
        id=id_,
        at=at,
        experiment=fields.text("experiment"),
        unit=fields.text("unit"),
        arm=arm,
        version=version,
        assigned=assigned,
        assigned_version=version if assigned == arm else fields.text("assigned_version", ""),
        epoch=fields.whole("epoch"),
        request_id=fields.text("request_id"),
        trace_id=fields.text("trace_id", ""),
        status=fields.whole("status"),
        latency_s=fields.number("latency_s"),
        first_piece_s=fields.number("first_piece_s"),
        mirror=fields.switch("mirror"),
        chosen_by=fields.text("chosen_by", "weights"),
        text=text,
    )


_READERS: Mapping[str, Callable[[_Fields, datetime, str, str], Record]] = {
    "exchange": _exchange,
    "feedback": _feedback,
    "exposure": _exposure,
}
