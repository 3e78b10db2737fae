"""Which versions no other beats in quality, cost and latency at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from flowyard.decisions.estimates import Estimator
from flowyard.decisions.model import Metric

__all__ = ["front", "main_metric", "pareto_fronts"]

_PRICES = ("cost_usd_per_line", "latency_p50_ms")


def pareto_fronts(estimator: Estimator) -> dict[str, tuple[str, ...]]:
    """The front of each dataset, by the main metric, the cost of a line and the median latency."""
    main = main_metric(estimator.measured.metrics)
    prices = [metric for metric in estimator.measured.metrics if metric.name in _PRICES]
    axes = [*([main] if main else []), *prices]
    return {dataset: _front_of(estimator, dataset, axes) for dataset in estimator.versions.datasets}


def main_metric(metrics: Sequence[Metric]) -> Metric | None:
    """The metric that stands for quality: the first one an evaluator gives, one with lines before one without."""
    evaluated = [metric for metric in metrics if metric.evaluator is not None]
    return next((metric for metric in evaluated if metric.kind != "total"), next(iter(evaluated), None))


def front(points: Mapping[str, Sequence[float]]) -> tuple[str, ...]:
    """The names whose point no other dominates; larger is better on every axis. A point that equals another stays."""
    return tuple(
        name
        for name, mine in points.items()
        if not any(_dominates(other, mine) for each, other in points.items() if each != name)
    )


def _dominates(left: Sequence[float], right: Sequence[float]) -> bool:
    return all(a >= b for a, b in zip(left, right, strict=True)) and any(
        a > b for a, b in zip(left, right, strict=True)
    )


def _front_of(estimator: Estimator, dataset: str, axes: Sequence[Metric]) -> tuple[str, ...]:
    points = {}
    for each in estimator.versions.over(dataset):
        found = [estimator.estimate(metric, each.version, dataset) for metric in axes]
        known = [estimate for estimate in found if estimate is not None and not estimate.has_only_failed]
        if len(known) == len(axes):
            points[each.version] = [one.value if one.metric.higher_is_better else -one.value for one in known]
    return front(points)
