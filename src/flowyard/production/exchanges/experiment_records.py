"""All records of a gateway's experiment: its exposures, and what the store has of the requests behind them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any, NamedTuple

from flowyard.production.records.instants import milliseconds, moment
from flowyard.production.store.joins import APART_MS, COUNTED_JUDGEMENT, EXCHANGE_OF_EXPOSURE, EXPOSURE_OF_FEEDBACK
from flowyard.production.store.rows import column_text
from flowyard.production.store.store import ProductionStore
from flowyard.store.database import Session

__all__ = ["iter_experiment_records", "judgements_of"]

_PAGE = 500


class _Place(NamedTuple):
    at_ms: int
    id: str


def iter_experiment_records(store: ProductionStore, experiment: str, since: datetime) -> Iterator[Mapping[str, Any]]:
    """Exposures from ``since`` on by time, each page followed by its exchanges and judgements; then their feedback.

    Those of mirrored requests and of testers who chose their arm are left out. The ``request_id`` of each record is the
    exposure's own digest, also that of feedback, which was a request of its own: callers may give several requests one
    id, and joining by this one is exact.
    """
    begin, name = milliseconds(since), column_text(experiment)
    after: _Place | None = _Place(begin, "")
    while after is not None:
        found, after = store.tables.read(partial(_page, experiment=name, after=after), _NOTHING)
        yield from found
    after = _Place(begin - APART_MS, "")
    while after is not None:
        found, after = store.tables.read(partial(_said, experiment=name, since=begin, after=after), _NOTHING)
        yield from found


_NOTHING: tuple[list[dict[str, Any]], None] = ([], None)


def _page(session: Session, experiment: str, after: _Place) -> tuple[list[dict[str, Any]], _Place | None]:
    values = (experiment, after.at_ms, after.id)
    exposures = session.execute(_EXPOSURES, values).fetchall()
    if not exposures:
        return [], None
    found = [_named(record, id_) for id_, _, record in exposures]
    exchanges = session.execute(_EXCHANGES, values).fetchall()
    found += [_named(record, id_) for id_, record, _ in exchanges]
    found += judgements_of(session, [(str(exchange), str(id_)) for id_, _, exchange in exchanges])
    last = _Place(int(exposures[-1][1]), str(exposures[-1][0]))
    return found, last if len(exposures) == _PAGE else None


def _said(session: Session, experiment: str, since: int, after: _Place) -> tuple[list[dict[str, Any]], _Place | None]:
    """The same for feedback: each is looked at once, whosever it is, as thousands may be of one trace."""
    rows = session.execute(_FEEDBACK, (after.at_ms, after.id, experiment, since)).fetchall()
    if not rows:
        return [], None
    found = [_named(record, exposure) for _, _, exposure, record in rows if exposure is not None]
    return found, _Place(int(rows[-1][1]), str(rows[-1][0])) if len(rows) == _PAGE else None


def judgements_of(session: Session, exposed: Sequence[tuple[str, str]]) -> Iterator[dict[str, Any]]:
    """For each exposure one record with what the evaluators said: ``by``, then an evaluator, ``at`` and ``outputs``.

    ``simulated`` is there, too, when a simulated model judged. ``exposed`` has exchanges, each with its exposure.
    """
    by_exchange: dict[str, dict[str, Any]] = {}
    exchanges = list(dict.fromkeys(exchange for exchange, _ in exposed))
    sql = _JUDGEMENTS.format(marks=", ".join("?" * len(exchanges)))
    rows = session.execute(sql, exchanges).fetchall() if exchanges else ()
    for exchange, evaluator, judged_ms, record, is_simulated in rows:
        said = {"at": moment(int(judged_ms)).isoformat(), "outputs": json.loads(record)["outputs"]}
        by_exchange.setdefault(exchange, {})[evaluator] = {**said, "simulated": True} if is_simulated else said
    for exchange, exposure in exposed:
        by = by_exchange.get(exchange)
        if by:
            yield {"kind": "judgement", "at": max(each["at"] for each in by.values()), "request_id": exposure, "by": by}


def _named(record: str, exposure: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(record)
    return {**found, "request_id": exposure}


_EXPOSURES = f"""SELECT id, at_ms, record FROM flowyard_production_exposures
WHERE experiment = ? AND (at_ms, id) > (?, ?) AND mirror = 0 AND chosen_by <> 'override'
ORDER BY at_ms, id LIMIT {_PAGE}"""  # noqa: S608 - of our own pieces
_OF_PAGE = f"""SELECT x.id, x.at_ms, x.trace_id, x.request_id, x.version FROM flowyard_production_exposures x
JOIN ({_EXPOSURES}) p ON p.id = x.id"""  # noqa: S608
_EXCHANGES = f"""SELECT c.id, e.record, e.id
FROM (SELECT x.id, {EXCHANGE_OF_EXPOSURE} AS exchange FROM ({_OF_PAGE}) x) c
JOIN flowyard_production_exchanges e ON e.id = c.exchange ORDER BY c.id"""  # noqa: S608 - of our own pieces
_FEEDBACK = f"""SELECT c.id, c.at_ms, x.id, c.record FROM (
    SELECT f.id, f.at_ms, f.record, {EXPOSURE_OF_FEEDBACK} AS exposure FROM flowyard_production_feedback f
    WHERE (f.at_ms, f.id) > (?, ?) ORDER BY f.at_ms, f.id LIMIT {_PAGE}) c
LEFT JOIN flowyard_production_exposures x
    ON x.id = c.exposure AND x.experiment = ? AND x.at_ms >= ? AND x.mirror = 0 AND x.chosen_by <> 'override'
ORDER BY c.at_ms, c.id"""  # noqa: S608 - of our own pieces
_JUDGEMENTS = f"""SELECT j.exchange, j.evaluator, j.judged_ms, j.record, j.simulated
FROM flowyard_production_judgements j
WHERE j.exchange IN ({{marks}}) AND {COUNTED_JUDGEMENT}
ORDER BY j.exchange, j.evaluator"""  # noqa: S608 - of our own pieces
