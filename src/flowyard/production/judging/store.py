"""Judgements in the store of production records, each exchange once by each version of an evaluator."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from flowyard.errors import StoreError
from flowyard.production.exchanges.series import Window
from flowyard.production.judging.model import Judgement, without_prompts
from flowyard.production.records.instants import milliseconds, moment
from flowyard.production.store.rows import column_text
from flowyard.production.store.store import ProductionStore
from flowyard.sessions.encoding import line_from_json, storable
from flowyard.store.database import Session

__all__ = [
    "JUDGEMENT_COLUMNS",
    "JudgedMark",
    "Spent",
    "add_judgements",
    "find_judgements",
    "judged_marks",
    "mark_drawn",
    "spent_since",
    "stored_judgement",
]

_AT_ONCE = 50
"""Rows of one statement: SQLite may take no more than 999 values."""

JUDGEMENT_COLUMNS = (
    "at_ms",
    "exchange",
    "flow",
    "version",
    "request_id",
    "evaluator",
    "digest",
    "judged_ms",
    "drawn",
    "record",
)
"""The columns that ``stored_judgement`` reads."""


class JudgedMark(NamedTuple):
    """That an exchange was judged, how often it was tried, and whether the last time failed."""

    is_failed: bool
    attempts: int
    is_drawn: bool


class Spent(NamedTuple):
    """Model calls that judgements took, and dollars."""

    calls: int
    cost_usd: float


def add_judgements(store: ProductionStore, judgements: Iterable[Judgement]) -> int:
    """Store judgements, all or none; returns how many were new or took the place of one that had failed.

    What is there stays, but for a judgement that had failed and was tried again later.
    """
    rows = sorted((_row(each) for each in judgements), key=lambda row: str(row[0]))
    if not rows:
        return 0

    def writing(session: Session) -> int:
        return sum(session.execute(_INSERT, row).rowcount for row in rows)

    return store.tables.write(writing)


def judged_marks(store: ProductionStore, flow: str, window: Window) -> Mapping[tuple[str, str], dict[str, JudgedMark]]:
    """What was judged of a flow's exchanges of some time: by the evaluator and its version, then by the exchange."""
    sql = (
        "SELECT evaluator, digest, exchange, failed, attempts, drawn FROM flowyard_production_judgements "
        "WHERE flow = ? AND at_ms >= ? AND at_ms < ?"
    )

    def reading(session: Session) -> dict[tuple[str, str], dict[str, JudgedMark]]:
        found: dict[tuple[str, str], dict[str, JudgedMark]] = {}
        for evaluator, digest, exchange, failed, attempts, drawn in session.execute(
            sql, (column_text(flow), *window.values)
        ).fetchall():
            found.setdefault((evaluator, digest), {})[exchange] = JudgedMark(bool(failed), int(attempts), bool(drawn))
        return found

    return store.tables.read(reading, {})


def mark_drawn(store: ProductionStore, exchanges: Sequence[str]) -> None:
    """These exchanges were drawn by the rate after all, as it rose since they were judged."""

    def writing(session: Session) -> None:
        for some in _portions(exchanges):
            marks = ", ".join("?" * len(some))
            session.execute(f"UPDATE flowyard_production_judgements SET drawn = 1 WHERE exchange IN ({marks})", some)  # noqa: S608

    if exchanges:
        store.tables.write(writing)


def find_judgements(store: ProductionStore, exchanges: Sequence[str]) -> Iterator[Judgement]:
    """All judgements of these exchanges, in no order. Raises StoreError for a row that nobody could have stored."""
    for some in _portions(exchanges):
        sql = (
            f"SELECT {', '.join(JUDGEMENT_COLUMNS)} FROM flowyard_production_judgements "  # noqa: S608
            f"WHERE exchange IN ({', '.join('?' * len(some))})"
        )

        def reading(session: Session, sql: str = sql, some: Sequence[str] = some) -> list[Judgement]:
            return [stored_judgement(row) for row in session.execute(sql, some).fetchall()]

        yield from store.tables.read(reading, [])


def _encodable(text: str) -> str:
    """Half of a surrogate pair is said in ASCII, as no database takes it otherwise."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return json.dumps(json.loads(text))
    return text


def stored_judgement(row: Sequence[Any]) -> Judgement:
    """The judgement of a row of JUDGEMENT_COLUMNS. Raises StoreError for one that nobody could have stored."""
    at_ms, exchange, flow, version, request_id, evaluator, digest, judged_ms, drawn, record = row
    try:
        line = line_from_json(json.loads(record))
    except (ValueError, KeyError, TypeError) as error:
        raise StoreError(f"A judgement is damaged: {error}.", hint="Restore a backup.") from error
    return Judgement(
        exchange, int(at_ms), flow, version, request_id, evaluator, digest, moment(int(judged_ms)), bool(drawn), line
    )


def spent_since(store: ProductionStore, flow: str, since: datetime) -> Spent:
    """What was used to judge a flow from a moment on."""
    sql = (
        "SELECT COALESCE(SUM(calls), 0), COALESCE(SUM(cost_usd), 0) FROM flowyard_production_judgements "
        "WHERE flow = ? AND judged_ms >= ?"
    )

    def reading(session: Session) -> Spent:
        ((calls, cost),) = session.execute(sql, (column_text(flow), milliseconds(since))).fetchall()
        return Spent(int(calls), float(cost))

    return store.tables.read(reading, Spent(0, 0.0))


def _portions(names: Sequence[str]) -> Iterator[Sequence[str]]:
    return (names[start : start + _AT_ONCE] for start in range(0, len(names), _AT_ONCE))


_INSERT = f"""INSERT INTO flowyard_production_judgements
    (id, {", ".join(JUDGEMENT_COLUMNS)}, failed, attempts, calls, cost_usd, simulated)
VALUES ({", ".join("?" * 16)})
ON CONFLICT (id) DO UPDATE SET judged_ms = excluded.judged_ms, failed = excluded.failed,
    attempts = flowyard_production_judgements.attempts + 1,
    calls = flowyard_production_judgements.calls + excluded.calls,
    cost_usd = flowyard_production_judgements.cost_usd + excluded.cost_usd,
    simulated = excluded.simulated, record = excluded.record
WHERE flowyard_production_judgements.failed = 1
    AND flowyard_production_judgements.judged_ms < excluded.judged_ms"""  # noqa: S608


def _row(each: Judgement) -> tuple[Any, ...]:
    usage = each.line.usage
    named = json.dumps([each.exchange, each.evaluator, each.digest]).encode()
    _, record = storable(without_prompts(each.line), lambda value: value)
    return (
        f"{each.at_ms:012x}-{hashlib.blake2b(named, digest_size=16).hexdigest()}",
        each.at_ms,
        each.exchange,
        column_text(each.flow),
        column_text(each.version),
        column_text(each.request_id),
        column_text(each.evaluator),
        each.digest,
        milliseconds(each.judged_at),
        int(each.is_drawn),
        _encodable(record),
        int(each.is_failed),
        1,
        usage.calls,
        usage.cost_usd,
        int(each.is_simulated),
    )
