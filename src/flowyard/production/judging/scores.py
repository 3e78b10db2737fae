"""What judges said of a window of production, as numbers by the name of evaluator and score."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from flowyard.production.judging.store import JUDGEMENT_COLUMNS, stored_judgement
from flowyard.production.rows import column_text
from flowyard.production.series import Window
from flowyard.production.store import ProductionStore
from flowyard.statistics.two_sample import Moments
from flowyard.store.database import Session

__all__ = ["JudgeScores", "judge_moments", "judge_scores"]


@dataclass(frozen=True, slots=True)
class JudgeScores:
    """The scores of one exchange, as ``evaluator.score``; ``simulated`` are those of a simulated model."""

    exchange: str
    version: str
    scores: Mapping[str, float]
    simulated: frozenset[str] = frozenset()


def judge_scores(store: ProductionStore, flow: str, window: Window) -> Sequence[JudgeScores]:
    """The judgements of a window that were drawn by the rate; of several versions of an evaluator the last that judged.

    Raises StoreError for a row that nobody could have stored.
    """
    sql = (
        f"SELECT {', '.join(JUDGEMENT_COLUMNS)} FROM flowyard_production_judgements "  # noqa: S608
        "WHERE flow = ? AND at_ms >= ? AND at_ms < ? AND failed = 0 AND drawn = 1 ORDER BY judged_ms, digest"
    )

    def reading(session: Session) -> list[JudgeScores]:
        latest = {}
        for row in session.execute(sql, (column_text(flow), *window.values)).fetchall():
            judgement = stored_judgement(row)
            latest[judgement.exchange, judgement.evaluator] = judgement
        found: dict[tuple[str, str], dict[str, float]] = defaultdict(dict)
        simulated: dict[tuple[str, str], set[str]] = defaultdict(set)
        for judgement in latest.values():
            named = {f"{judgement.evaluator}.{name}": value for name, value in judgement.scores.items()}
            found[judgement.exchange, judgement.version].update(named)
            if judgement.is_simulated:
                simulated[judgement.exchange, judgement.version].update(named)
        return [JudgeScores(*key, scores, frozenset(simulated[key])) for key, scores in found.items()]

    return store.tables.read(reading, [])


def judge_moments(
    store: ProductionStore, flow: str, window: Window, by: Literal["version", "flow"]
) -> Mapping[str, Mapping[str, Moments]]:
    """By the name of the score, then by version, or by ``flow`` under no name."""
    values: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for each in judge_scores(store, flow, window):
        for name, value in each.scores.items():
            values[name][each.version if by == "version" else ""].append(value)
    return {name: {group: Moments.of(found) for group, found in groups.items()} for name, groups in values.items()}
