"""Each version against the baseline, line by line, for people who explore; gates have tests of their own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from flowyard.decisions.estimates import Estimator
from flowyard.decisions.model import Difference, Metric, Winner
from flowyard.statistics.corrections import benjamini_hochberg

__all__ = ["find_differences"]


def find_differences(estimator: Estimator, baseline: str) -> tuple[Difference, ...]:
    """Every metric that has lines, of every other version over the same data, corrected together.

    The correction is Benjamini and Hochberg's: of what is called better or worse, the share that is not is bounded.
    """
    found = []
    for dataset in estimator.versions.datasets:
        for metric in estimator.measured.metrics:
            for each in estimator.versions.over(dataset):
                if each.version != baseline:
                    difference = _difference(estimator, metric, each.version, baseline, dataset)
                    found += [difference] if difference else []
    return _corrected(found, estimator.policy.alpha)


def _difference(estimator: Estimator, metric: Metric, version: str, baseline: str, dataset: str) -> Difference | None:
    pairs = estimator.pairs(metric, version, baseline, dataset)
    if pairs is None or not pairs.first:
        return None
    compared = estimator.compared(metric, pairs)
    return Difference(
        metric=metric,
        version=version,
        baseline=baseline,
        dataset=dataset,
        value=compared.value,
        interval=compared.interval,
        p_value=compared.p_value,
        p_adjusted=None,
        method=compared.method,
        lines=compared.lines,
        won=compared.won,
        lost=compared.lost,
        tied=compared.tied,
        winner="unclear",
        detectable=compared.detectable,
        lines_needed=compared.lines_needed,
    )


def _corrected(found: Sequence[Difference], alpha: float) -> tuple[Difference, ...]:
    tested = [each for each in found if each.p_value is not None]
    adjusted = dict(zip(map(id, tested), benjamini_hochberg([each.p_value or 0.0 for each in tested]), strict=True))
    return tuple(_with_winner(each, adjusted.get(id(each)), alpha) for each in found)


def _with_winner(difference: Difference, p_adjusted: float | None, alpha: float) -> Difference:
    winner: Winner = "unclear"
    if p_adjusted is not None and p_adjusted <= alpha and difference.value:
        winner = "better" if (difference.value > 0) == difference.metric.higher_is_better else "worse"
    return replace(difference, p_adjusted=p_adjusted, winner=winner)
