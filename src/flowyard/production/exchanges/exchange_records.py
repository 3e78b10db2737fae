"""All exchanges of a flow, and what is said of them: what there is where no gateway writes down who got what."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import partial
from typing import Any, NamedTuple

from flowyard.production.exchanges.experiment_records import judgements_of
from flowyard.production.records.instants import milliseconds
from flowyard.production.store.joins import EXCHANGE_OF_FEEDBACK
from flowyard.production.store.rows import column_text
from flowyard.production.store.store import ProductionStore
from flowyard.store.database import Session

__all__ = ["iter_exchange_records"]

_PAGE = 500


class _Place(NamedTuple):
    at_ms: int
    id: str


def iter_exchange_records(store: ProductionStore, flow: str, since: datetime) -> Iterator[Mapping[str, Any]]:
    """Exchanges from ``since`` on by their end, page by page, each page followed by its feedback and judgements.

    The ``request_id`` of each record is the exchange's own digest, also that of feedback, because callers may give
    several requests one id.
    """
    name = column_text(flow)
    after: _Place | None = _Place(milliseconds(since), "")
    while after is not None:
        found, after = store.tables.read(partial(_page, flow=name, after=after), _NOTHING)
        yield from found


_NOTHING: tuple[list[dict[str, Any]], None] = ([], None)


def _page(session: Session, flow: str, after: _Place) -> tuple[list[dict[str, Any]], _Place | None]:
    values = (flow, after.at_ms, after.id)
    exchanges = session.execute(_EXCHANGES, values).fetchall()
    if not exchanges:
        return [], None
    found = [_named(record, id_) for id_, _, record in exchanges]
    found += [_named(record, id_) for id_, record in session.execute(_FEEDBACK, values).fetchall()]
    found += judgements_of(session, [(str(id_), str(id_)) for id_, _, _ in exchanges])
    last = _Place(int(exchanges[-1][1]), str(exchanges[-1][0]))
    return found, last if len(exchanges) == _PAGE else None


def _named(record: str, exchange: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(record)
    return {**found, "request_id": exchange}


_EXCHANGES = f"""SELECT id, at_ms, record FROM flowyard_production_exchanges
WHERE flow = ? AND (at_ms, id) > (?, ?) ORDER BY at_ms, id LIMIT {_PAGE}"""  # noqa: S608 - of our own pieces
_FEEDBACK = f"""WITH page AS (
    SELECT e.id, e.trace_id, e.request_id FROM flowyard_production_exchanges e JOIN ({_EXCHANGES}) p ON p.id = e.id)
SELECT c.exchange, c.record FROM (
    SELECT f.id, f.at_ms, f.record, {EXCHANGE_OF_FEEDBACK} AS exchange FROM flowyard_production_feedback f
    WHERE f.id IN (
        SELECT g.id FROM flowyard_production_feedback g JOIN page ON g.trace_id = page.trace_id
        UNION SELECT g.id FROM flowyard_production_feedback g JOIN page ON g.request_id = page.request_id)) c
WHERE c.exchange IN (SELECT id FROM page) ORDER BY c.at_ms, c.id"""  # noqa: S608 - of our own pieces
