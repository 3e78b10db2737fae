"""Counts and sums of one metric for each arm and epoch of a gateway's experiment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from flowyard.production.exchanges.series import Window
from flowyard.production.store.joins import EXCHANGE_OF_EXPOSURE, SAID_OF_EXPOSURES
from flowyard.production.store.rows import column_text
from flowyard.production.store.store import ProductionStore
from flowyard.store.database import Session

__all__ = ["METRICS", "ArmSums", "Metric", "arm_sums"]

Metric = Literal["success", "feedback", "score", "latency_s", "tokens", "cost_usd"]
METRICS: tuple[Metric, ...] = get_args(Metric)


@dataclass(frozen=True, slots=True)
class ArmSums:
    """An arm in an epoch: ``requests`` that were assigned to it, from so many ``units``; mirrored requests and
    those whose arm a header chose are left out. A request that another arm answered in its place is no success, and
    has no other value: what that answer took, cost and was thought of says nothing of this arm.

    Of the requests ``values`` have a value of the metric (``valued_units`` units). Of the metrics that are yes or no,
    ``success`` and ``feedback``, ``successes`` and ``failures`` are counts; else both are 0. ``total`` is the sum of
    the values, ``squares`` that of their squares. The last three are sums over units, of whose n values the sum is s:
    of s², of n² and of s·n, for the variance of a mean where a unit has many requests.
    """

    experiment: str
    metric: Metric
    epoch: int
    arm: str
    version: str
    requests: int
    units: int
    values: int
    valued_units: int
    successes: int
    failures: int
    total: float
    squares: float
    unit_total_squares: float
    unit_count_squares: float
    unit_products: float


def arm_sums(
    store: ProductionStore,
    experiment: str,
    metric: Metric,
    window: Window | None = None,
    *,
    first_of_unit: bool = False,
) -> Sequence[ArmSums]:
    """The counts of an experiment, by epoch, then by arm and version.

    ``success`` is 1 for a request that did not fail; ``feedback`` 1 for positive and 0 for negative, ``score`` that of
    the feedback; ``tokens`` and ``cost_usd`` are those of the exchange. With ``first_of_unit`` only the first request
    of each unit counts that has a value, so that the values are independent of each other.
    """
    since, until = window.values if window else _ALWAYS
    sql = _SUMS.format(value=_VALUES[metric], joined=_JOINED[metric], chosen="WHERE place = 1" if first_of_unit else "")
    feedback_since = (since,) if "said" in _JOINED[metric] else ()
    values = (*feedback_since, column_text(experiment), since, until)

    def reading(session: Session) -> list[ArmSums]:
        rows = session.execute(_WITH_SAID + sql if feedback_since else _WITH + sql, values).fetchall()
        return [_counts(experiment, metric, *row) for row in rows]

    return store.tables.read(reading, [])


def _counts(experiment: str, metric: Metric, epoch: int, arm: str, version: str, *sums: float) -> ArmSums:
    requests, units, values, valued_units, total, squares, total_squares, count_squares, products = sums
    is_yes_or_no = metric in ("success", "feedback")
    successes = int(total or 0) if is_yes_or_no else 0
    return ArmSums(
        experiment,
        metric,
        int(epoch),
        arm,
        version,
        int(requests),
        int(units),
        int(values),
        int(valued_units),
        successes,
        int(values) - successes if is_yes_or_no else 0,
        float(total or 0),
        float(squares or 0),
        float(total_squares or 0),
        float(count_squares or 0),
        float(products or 0),
    )


_ALWAYS = (-(2**62), 2**62)

_VALUES: Mapping[Metric, str] = {
    "success": "1.0 - x.failed",
    "feedback": "1.0 * s.positive",
    "score": "s.score",
    "latency_s": "CASE WHEN x.arm = x.assigned THEN x.latency_s END",
    "tokens": "1.0 * (e.prompt_tokens + e.completion_tokens)",
    "cost_usd": "e.cost_usd",
}
_BY_SAID = "LEFT JOIN said s ON s.subject = x.id AND x.arm = x.assigned"
_BY_EXCHANGE = f"""LEFT JOIN flowyard_production_exchanges e
    ON e.id = CASE WHEN x.arm = x.assigned THEN {EXCHANGE_OF_EXPOSURE} END"""
_JOINED: Mapping[Metric, str] = {
    "success": "",
    "feedback": _BY_SAID,
    "score": _BY_SAID,
    "latency_s": "",
    "tokens": _BY_EXCHANGE,
    "cost_usd": _BY_EXCHANGE,
}
_WITH = "WITH "
_WITH_SAID = f"WITH said AS ({SAID_OF_EXPOSURES}), "
_SUMS = """chosen AS (
    SELECT x.epoch, x.assigned AS arm, x.assigned_version AS version, x.unit, x.at_ms, x.id, {value} AS value
    FROM flowyard_production_exposures x {joined}
    WHERE x.experiment = ? AND x.at_ms >= ? AND x.at_ms < ? AND x.mirror = 0
        AND x.chosen_by <> 'override'),
placed AS (
    SELECT chosen.*, ROW_NUMBER() OVER (
        PARTITION BY unit ORDER BY CASE WHEN value IS NULL THEN 1 ELSE 0 END, at_ms, id) AS place
    FROM chosen),
units AS (
    SELECT epoch, arm, version, unit, COUNT(*) AS requests, COUNT(value) AS n, COALESCE(SUM(value), 0) AS s,
        SUM(value * value) AS squares
    FROM placed {chosen} GROUP BY epoch, arm, version, unit)
SELECT epoch, arm, version, SUM(requests), COUNT(*), SUM(n), SUM(CASE WHEN n > 0 THEN 1 ELSE 0 END), SUM(s),
    SUM(squares), SUM(s * s), SUM(1.0 * n * n), SUM(s * n)
FROM units GROUP BY epoch, arm, version ORDER BY epoch, arm, version"""
