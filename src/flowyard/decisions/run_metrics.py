"""What every run is measured by without an evaluator: errors, time, money and tokens."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from math import isnan

from flowyard._util.numbers import percent_text
from flowyard.decisions.columns import NAN, RunColumns
from flowyard.decisions.model import Metric, MetricKind
from flowyard.records import RunRecord
from flowyard.statistics.percentiles import percentile

__all__ = ["PERCENTILES", "RUN_METRICS", "RunMetric"]

PERCENTILES: Mapping[str, float] = {"latency_p50_ms": 0.5, "latency_p95_ms": 0.95, "latency_p99_ms": 0.99}


@dataclass(frozen=True, slots=True)
class RunMetric:
    """A metric of the run itself. ``lines`` gives its value for each line where it has one; ``total`` that of a run."""

    metric: Metric
    total: Callable[[RunRecord, RunColumns], float]
    lines: Callable[[RunColumns], Sequence[float]] | None = None


def _latencies(lines: RunColumns) -> list[float]:
    return [NAN if failed else value for value, failed in zip(lines.duration_ms, lines.failed, strict=True)]


def _latency_at(share: float, run: RunRecord, lines: RunColumns) -> float:  # noqa: ARG001 - as all of them
    values = [value for value in _latencies(lines) if not isnan(value)]
    return percentile(values, 100 * share) if values else NAN


def _mean(values: Callable[[RunColumns], Sequence[float]], run: RunRecord, lines: RunColumns) -> float:  # noqa: ARG001
    known = [value for value in values(lines) if not isnan(value)]
    return math.fsum(known) / len(known) if known else NAN


def _errors(lines: RunColumns) -> Sequence[float]:
    return [float(failed) for failed in lines.failed]


def _tokens(lines: RunColumns) -> Sequence[float]:
    return lines.tokens


def _costs(lines: RunColumns) -> Sequence[float]:
    return lines.cost_usd


def _metric(name: str, kind: MetricKind, meaning: str, high: float | None = None) -> Metric:
    return Metric(name, kind, higher_is_better=False, low=0.0, high=high, meaning=meaning)


_COMPLETED = "of the lines that completed; failing fast is not being fast."
_KEPT = "with what answers that were kept from before would have cost"

_ALL = (
    RunMetric(
        _metric("error_rate", "binary", "The share of the version's lines that failed.", 1.0),
        partial(_mean, _errors),
        _errors,
    ),
    RunMetric(
        _metric("failed_lines", "total", "How many of the version's lines failed."),
        lambda _, lines: float(sum(lines.failed)),
    ),
    RunMetric(
        _metric("latency_mean_ms", "score", f"The mean time in milliseconds {_COMPLETED}"),
        partial(_mean, _latencies),
        _latencies,
    ),
    *(
        RunMetric(
            _metric(name, "total", f"The time in milliseconds that {percent_text(share, 2)} stay below, {_COMPLETED}"),
            partial(_latency_at, share),
        )
        for name, share in PERCENTILES.items()
    ),
    RunMetric(
        _metric("cost_usd", "total", f"What the run's model calls cost, {_KEPT}; without evaluations."),
        lambda run, _: run.usage.cost_usd + run.usage.saved_usd,
    ),
    RunMetric(
        _metric("cost_usd_per_line", "score", f"What a line's model calls cost, {_KEPT}."),
        partial(_mean, _costs),
        _costs,
    ),
    RunMetric(
        _metric("tokens", "total", "The tokens of the run's model calls; kept answers have none."),
        lambda run, _: float(run.usage.total_tokens),
    ),
    RunMetric(
        _metric("tokens_per_line", "score", "The tokens of a line's model calls; kept answers have none."),
        partial(_mean, _tokens),
        _tokens,
    ),
)

RUN_METRICS: Mapping[str, RunMetric] = {each.metric.name: each for each in _ALL}
"""All of them by name."""
