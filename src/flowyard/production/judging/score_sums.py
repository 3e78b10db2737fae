"""Scores of judges, summed for each version: what a mean and its error need."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import NamedTuple

from flowyard.production.judging.model import scores_of
from flowyard.production.rows import column_text
from flowyard.production.series import Window
from flowyard.production.store import ProductionStore
from flowyard.store.database import Session

__all__ = ["ScoreSums", "score_sums"]


class ScoreSums(NamedTuple):
    """How many scores, their sum, and the sum of their squares."""

    n: int = 0
    total: float = 0.0
    squares: float = 0.0


_ROWS = """SELECT j.version, j.record FROM flowyard_production_judgements j
WHERE j.flow = ? AND j.at_ms >= ? AND j.at_ms < ? AND j.evaluator = ? AND j.drawn = 1 AND j.failed = 0 AND j.digest = (
    SELECT n.digest FROM flowyard_production_judgements n WHERE n.flow = j.flow AND n.evaluator = j.evaluator
    ORDER BY n.judged_ms DESC, n.id DESC LIMIT 1)"""


def score_sums(
    store: ProductionStore, flow: str, window: Window, evaluator: str, field: str
) -> Mapping[str, ScoreSums]:
    """The scores that the last version of an evaluator gave to what the rate drew, by version of the flow."""

    def reading(session: Session) -> dict[str, ScoreSums]:
        found: dict[str, ScoreSums] = {}
        values = (column_text(flow), *window.values, column_text(evaluator))
        for version, record in session.execute(_ROWS, values).fetchall():
            score = scores_of(json.loads(record)["outputs"]).get(field)
            if score is not None:
                n, total, squares = found.get(version, ScoreSums())
                found[version] = ScoreSums(n + 1, total + score, squares + score * score)
        return found

    return store.tables.read(reading, {})
