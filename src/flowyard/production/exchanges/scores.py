"""Scores of exchanges, summed for each version: what a mean and its error need."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from flowyard.production.exchanges.series import Window
from flowyard.production.store.joins import SAID_OF_EXCHANGES
from flowyard.production.store.rows import column_text
from flowyard.production.store.store import ProductionStore
from flowyard.statistics.two_sample import Moments
from flowyard.store.database import Session

__all__ = ["feedback_scores"]

_SUMS = f"""WITH said AS ({SAID_OF_EXCHANGES})
SELECT {{grouped}} AS grouped, COUNT(s.score), SUM(s.score), SUM(s.score * s.score)
FROM flowyard_production_exchanges e JOIN said s ON s.subject = e.id
WHERE e.flow = ? AND e.at_ms >= ? AND e.at_ms < ? AND s.score IS NOT NULL GROUP BY 1"""  # noqa: S608 - of our own pieces


def feedback_scores(
    store: ProductionStore, flow: str, window: Window, by: Literal["version", "flow"]
) -> Mapping[str, Moments]:
    """The scores of feedback on the exchanges of a window, by version; by ``flow`` of all of them under no name."""
    since, until = window.values
    sql = _SUMS.format(grouped="e.version" if by == "version" else "''")

    def reading(session: Session) -> dict[str, Moments]:
        rows = session.execute(sql, (since, column_text(flow), since, until)).fetchall()
        return {str(group): Moments(int(n), float(total), float(squares)) for group, n, total, squares in rows}

    return store.tables.read(reading, {})
