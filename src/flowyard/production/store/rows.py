"""Production records as rows of the tables."""

from __future__ import annotations

from collections.abc import Iterable
from operator import itemgetter
from typing import Any, TypeVar

from flowyard.errors import StoreError
from flowyard.production.records.instants import milliseconds
from flowyard.production.records.model import ExchangeRecord, ExposureRecord, FeedbackRecord, Record, parse_record
from flowyard.production.records.opinion import opinion_of
from flowyard.store.database import Session

__all__ = ["column_text", "insert_records", "stored_record"]

R = TypeVar("R", ExchangeRecord, ExposureRecord, FeedbackRecord)

_LONGEST = 200
"""Letters of a text that is searched by; an index takes no longer ones everywhere."""
_ROWS = 50
"""Rows of one statement: SQLite may take no more than 999 values."""

_EXCHANGE = (
    "id, at_ms, flow, version, request_id, trace_id, span_id, status, failed, latency_s, first_piece_s, prompt_tokens, "
    "completion_tokens, cost_usd, record"
)
_FEEDBACK = "id, at_ms, flow, version, request_id, trace_id, span_id, positive, score, record"
_EXPOSURE = (
    "id, at_ms, experiment, unit, arm, version, epoch, request_id, trace_id, status, failed, latency_s, mirror, "
    "chosen_by, assigned, assigned_version, record"
)


def insert_records(session: Session, records: Iterable[Record]) -> int:
    """Store records; those that are there stay as they are. Returns how many were new."""
    exchanges: list[tuple[Any, ...]] = []
    feedback: list[tuple[Any, ...]] = []
    exposures: list[tuple[Any, ...]] = []
    for record in records:
        if isinstance(record, ExchangeRecord):
            exchanges.append(_exchange(record))
        elif isinstance(record, FeedbackRecord):
            feedback.append(_feedback(record))
        else:
            exposures.append(_exposure(record))
    return (
        _insert(session, f"flowyard_production_exchanges ({_EXCHANGE})", exchanges)
        + _insert(session, f"flowyard_production_feedback ({_FEEDBACK})", feedback)
        + _insert(session, f"flowyard_production_exposures ({_EXPOSURE})", exposures)
    )


def stored_record(text: str, kind: type[R]) -> R:
    """The record of a row. Raises StoreError for a row that nobody could have stored."""
    try:
        record = parse_record(text.encode())
    except ValueError as error:
        raise StoreError(f"A production record is damaged: {error}.", hint="Restore a backup.") from error
    if not isinstance(record, kind):
        raise StoreError("A production record is of another kind than its table.", hint="Restore a backup.")
    return record


def column_text(text: str) -> str:
    """A text as a column has it that is searched by."""
    return text[:_LONGEST].encode("utf-8", "replace").decode().replace("\0", "?")


def _insert(session: Session, table: str, rows: list[tuple[Any, ...]]) -> int:
    rows.sort(key=itemgetter(0))  # two who store the same rows at once must not wait for each other in a circle
    new = 0
    for start in range(0, len(rows), _ROWS):
        some = rows[start : start + _ROWS]
        marks = f"({', '.join('?' * len(some[0]))})"
        values = [value for row in some for value in row]
        sql = f"INSERT INTO {table} VALUES {', '.join([marks] * len(some))} ON CONFLICT (id) DO NOTHING"  # noqa: S608
        new += session.execute(sql, values).rowcount
    return new


def _exchange(record: ExchangeRecord) -> tuple[Any, ...]:
    return (
        record.id,
        milliseconds(record.at),
        column_text(record.flow),
        column_text(record.version),
        column_text(record.request_id),
        column_text(record.trace_id),
        column_text(record.span_id),
        record.status,
        int(record.is_failed),
        record.latency_s,
        record.first_piece_s,
        record.prompt_tokens,
        record.completion_tokens,
        record.cost_usd,
        record.text,
    )


def _feedback(record: FeedbackRecord) -> tuple[Any, ...]:
    opinion = opinion_of(record.feedback)
    return (
        record.id,
        milliseconds(record.at),
        column_text(record.flow),
        column_text(record.version),
        column_text(record.request_id),
        column_text(record.trace_id),
        column_text(record.span_id),
        None if opinion.positive is None else int(opinion.positive),
        opinion.score,
        record.text,
    )


def _exposure(record: ExposureRecord) -> tuple[Any, ...]:
    return (
        record.id,
        milliseconds(record.at),
        column_text(record.experiment),
        column_text(record.unit),
        column_text(record.arm),
        column_text(record.version),
        record.epoch,
        column_text(record.request_id),
        column_text(record.trace_id),
        record.status,
        int(record.is_failed),
        record.latency_s,
        int(record.mirror),
        column_text(record.chosen_by),
        column_text(record.assigned),
        column_text(record.assigned_version),
        record.text,
    )
