"""What judges said of a window of production, as numbers by the name of evaluator and score."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, NamedTuple

from flowyard.production.exchanges.series import Grouping, Window
from flowyard.production.judging.model import scores_of
from flowyard.production.judging.store import JUDGEMENT_COLUMNS, stored_judgement
from flowyard.production.store.joins import COUNTED_JUDGEMENT, EXCHANGE_OF_EXPOSURE
from flowyard.production.store.rows import column_text
from flowyard.production.store.store import ProductionStore
from flowyard.statistics.two_sample import Moments
from flowyard.store.database import Session

__all__ = ["JudgeScores", "judge_moments", "judge_scores", "judge_series"]


@dataclass(frozen=True, slots=True)
class JudgeScores:
    """The scores of one exchange, as ``evaluator.score``; ``simulated`` are those of a simulated model."""

    exchange: str
    version: str
    scores: Mapping[str, float]
    simulated: frozenset[str] = frozenset()


def judge_scores(store: ProductionStore, flow: str, window: Window) -> Sequence[JudgeScores]:
    """The judgements of a window that were drawn by the rate, by the version of each evaluator that judged last.

    Raises StoreError for a row that nobody could have stored.
    """
    sql = (
        f"SELECT {', '.join(JUDGEMENT_COLUMNS)} FROM flowyard_production_judgements j "  # noqa: S608
        f"WHERE flow = ? AND at_ms >= ? AND at_ms < ? AND {COUNTED_JUDGEMENT} ORDER BY judged_ms, digest"
    )

    def reading(session: Session) -> list[JudgeScores]:
        rows = session.execute(sql, (column_text(flow), *window.values)).fetchall()
        found: dict[tuple[str, str], dict[str, float]] = defaultdict(dict)
        simulated: dict[tuple[str, str], set[str]] = defaultdict(set)
        for judgement in map(stored_judgement, rows):
            named = {f"{judgement.evaluator}.{name}": value for name, value in judgement.scores.items()}
            found[judgement.exchange, judgement.version].update(named)
            if judgement.is_simulated:
                simulated[judgement.exchange, judgement.version].update(named)
        return [JudgeScores(*key, scores, frozenset(simulated[key])) for key, scores in found.items()]

    return store.tables.read(reading, [])


def judge_moments(
    store: ProductionStore, name: str, window: Window, by: Grouping
) -> Mapping[str, Mapping[str, Moments]]:
    """By the name of the score, ``evaluator.score``, then by version or arm, or by ``flow`` under no name.

    ``name`` and ``by`` are those of ``series``.
    """
    whole = judge_series(store, name, window, by=by, step=timedelta(milliseconds=window.values[1] - window.values[0]))
    return {score: {group: points[0] for group, points in groups.items()} for score, groups in whole.items()}


def judge_series(
    store: ProductionStore, name: str, window: Window, *, by: Grouping, step: timedelta
) -> Mapping[str, Mapping[str, Mapping[int, Moments]]]:
    """By the name of the score, then by group as above, then by the number of the step of the window.

    What another arm answered in the place of the assigned one counts for none.
    """
    since, length = window.values[0], max(1, int(step.total_seconds() * 1000))
    values: dict[str, dict[str, dict[int, list[float]]]] = defaultdict(lambda: defaultdict(lambda: defaultdict(list)))
    for each in store.tables.read(lambda session: list(_valued(session, name, window, by)), []):
        values[each.score][each.group][(each.at_ms - since) // length].append(each.value)
    return {
        score: {
            group: {number: Moments.of(found) for number, found in steps.items()} for group, steps in groups.items()
        }
        for score, groups in values.items()
    }


class _Valued(NamedTuple):
    group: str
    at_ms: int
    score: str
    value: float


def _valued(session: Session, name: str, window: Window, by: Grouping) -> Iterator[_Valued]:
    rows: Sequence[Sequence[Any]] = session.execute(_ROWS[by], (column_text(name), *window.values)).fetchall()
    for group, at_ms, evaluator, record in rows:
        for score, value in scores_of(json.loads(record)["outputs"]).items():
            yield _Valued(str(group), int(at_ms), f"{evaluator}.{score}", value)


_OF_VERSIONS = f"""SELECT j.version, j.at_ms, j.evaluator, j.record FROM flowyard_production_judgements j
WHERE j.flow = ? AND j.at_ms >= ? AND j.at_ms < ? AND {COUNTED_JUDGEMENT}"""  # noqa: S608 - of our own pieces
_OF_ARMS = f"""SELECT c.assigned, c.at_ms, j.evaluator, j.record
FROM (SELECT x.assigned, x.at_ms, {EXCHANGE_OF_EXPOSURE} AS exchange FROM flowyard_production_exposures x
      WHERE x.experiment = ? AND x.at_ms >= ? AND x.at_ms < ? AND x.mirror = 0 AND x.chosen_by <> 'override'
          AND x.arm = x.assigned) c
JOIN flowyard_production_judgements j ON j.exchange = c.exchange WHERE {COUNTED_JUDGEMENT}"""  # noqa: S608
_ROWS = {
    "version": _OF_VERSIONS,
    "arm": _OF_ARMS,
    "flow": _OF_VERSIONS.replace("SELECT j.version,", "SELECT '',"),
}
