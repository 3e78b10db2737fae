"""How versions or arms did over time: requests, failures, latencies, tokens, cost and feedback."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from flowyard.errors import UserError
from flowyard.production.records.instants import milliseconds, moment
from flowyard.production.store.joins import EXCHANGE_OF_EXPOSURE, SAID_OF_EXCHANGES, SAID_OF_EXPOSURES
from flowyard.production.store.rows import column_text
from flowyard.production.store.store import ProductionStore
from flowyard.store.database import Session

__all__ = ["Grouping", "SeriesPoint", "Window", "series"]

Grouping = Literal["version", "arm", "flow"]


@dataclass(frozen=True, slots=True)
class Window:
    """From ``since`` on to before ``until``, both with their zone."""

    since: datetime
    until: datetime

    @property
    def length_s(self) -> float:
        """Seconds."""
        return (self.until - self.since).total_seconds()

    @property
    def values(self) -> tuple[int, int]:
        """Both ends in milliseconds since 1970."""
        return milliseconds(self.since), milliseconds(self.until)


@dataclass(frozen=True, slots=True)
class SeriesPoint:
    """What a version or an arm, ``group``, did from ``start`` on.

    Latencies are percentiles by nearest rank, in seconds, None when no request has one. ``positive`` and ``negative``
    count requests with feedback that says so.
    """

    group: str
    start: datetime
    requests: int
    failed: int
    latency_p50_s: float | None
    latency_p95_s: float | None
    latency_p99_s: float | None
    prompt_tokens: int
    completion_tokens: int
    cost_usd: float
    positive: int
    negative: int

    @property
    def feedback_share(self) -> float | None:
        """The share of positive feedback among all that says yes or no; None without any."""
        said = self.positive + self.negative
        return self.positive / said if said else None


def series(
    store: ProductionStore, name: str, window: Window, *, by: Grouping = "version", step: timedelta | None = None
) -> Sequence[SeriesPoint]:
    """One point for each group and each ``step`` of the window that has requests, by group, then by time.

    ``name`` is that of a flow for versions, whose mirrored requests count too, and of a gateway's experiment for arms,
    whose mirrored ones and those of testers do not; by ``flow`` all versions are one group without a name. A request
    that another arm answered was failed by its assigned one, and has no latency, tokens, cost or feedback. Without a
    step the window is one piece. Raises UserError for an empty window.
    """
    since, until = window.values
    step_ms = until - since if step is None else int(step.total_seconds() * 1000)
    if step_ms < 1 or until <= since:
        raise UserError("The time to look at is empty.")
    sql = _STATEMENTS[by]
    values = (since, since, step_ms, column_text(name), since, until)

    def reading(session: Session) -> list[SeriesPoint]:
        return [_point(row, since, step_ms) for row in session.execute(sql, values).fetchall()]

    return store.tables.read(reading, [])


def _point(row: Sequence[Any], since: int, step_ms: int) -> SeriesPoint:
    group, bucket, requests, failed, p50, p95, p99, prompt, completion, cost, positive, negative = row
    return SeriesPoint(
        str(group),
        moment(since + int(bucket) * step_ms),
        int(requests),
        int(failed),
        _number(p50),
        _number(p95),
        _number(p99),
        int(prompt or 0),
        int(completion or 0),
        float(cost or 0.0),
        int(positive or 0),
        int(negative or 0),
    )


def _number(value: Any) -> float | None:
    return None if value is None else float(value)


_VERSION_ROWS = """SELECT e.version AS grouped, (e.at_ms - ?) / ? AS bucket, e.failed, e.latency_s,
    e.prompt_tokens, e.completion_tokens, e.cost_usd, s.positive
FROM flowyard_production_exchanges e LEFT JOIN said s ON s.subject = e.id
WHERE e.flow = ? AND e.at_ms >= ? AND e.at_ms < ?"""

_ARM_ROWS = f"""SELECT c.assigned AS grouped, c.bucket, c.failed, c.latency_s,
    e.prompt_tokens, e.completion_tokens, e.cost_usd, s.positive
FROM (SELECT x.id, x.assigned, (x.at_ms - ?) / ? AS bucket, x.failed,
            CASE WHEN x.arm = x.assigned THEN x.id END AS own,
            CASE WHEN x.arm = x.assigned THEN x.latency_s END AS latency_s,
            CASE WHEN x.arm = x.assigned THEN {EXCHANGE_OF_EXPOSURE} END AS exchange
      FROM flowyard_production_exposures x
      WHERE x.experiment = ? AND x.at_ms >= ? AND x.at_ms < ? AND x.mirror = 0 AND x.chosen_by <> 'override') c
LEFT JOIN flowyard_production_exchanges e ON e.id = c.exchange
LEFT JOIN said s ON s.subject = c.own"""  # noqa: S608 - of our own pieces

_SUMS = """WITH said AS ({said}), chosen AS ({rows})
SELECT grouped, bucket, COUNT(*), SUM(failed),
    MIN(CASE WHEN place * 100 >= known * 50 THEN latency_s END),
    MIN(CASE WHEN place * 100 >= known * 95 THEN latency_s END),
    MIN(CASE WHEN place * 100 >= known * 99 THEN latency_s END),
    SUM(prompt_tokens), SUM(completion_tokens), SUM(cost_usd),
    SUM(CASE WHEN positive = 1 THEN 1 ELSE 0 END), SUM(CASE WHEN positive = 0 THEN 1 ELSE 0 END)
FROM (SELECT chosen.*,
        ROW_NUMBER() OVER (
            PARTITION BY grouped, bucket ORDER BY CASE WHEN latency_s IS NULL THEN 1 ELSE 0 END, latency_s) AS place,
        COUNT(latency_s) OVER (PARTITION BY grouped, bucket) AS known
      FROM chosen) ranked
GROUP BY grouped, bucket ORDER BY grouped, bucket"""

_OF_VERSIONS = _SUMS.format(said=SAID_OF_EXCHANGES, rows=_VERSION_ROWS)
_OF_ARMS = _SUMS.format(said=SAID_OF_EXPOSURES, rows=_ARM_ROWS)
_OF_FLOW = _SUMS.format(said=SAID_OF_EXCHANGES, rows=_VERSION_ROWS.replace("e.version AS grouped", "'' AS grouped"))
_STATEMENTS = {"version": _OF_VERSIONS, "arm": _OF_ARMS, "flow": _OF_FLOW}
