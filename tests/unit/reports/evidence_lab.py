"""Evidence made by hand: round numbers in every field, so that a page can be drawn without any statistics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from flowyard.decisions.model import (
    Difference,
    Estimate,
    Evidence,
    GateResult,
    Interval,
    Metric,
    Scores,
    Verdict,
    Winner,
)


def estimate(metric: Metric, version: str, dataset: str, value: float, **more: object) -> Estimate:
    """A value with an interval of 0.05 to both sides, over 100 lines."""
    interval = Interval(value - 0.05, value + 0.05, 0.95, "Wilson")
    return Estimate(metric, version, dataset, value, **{"lines": 100, "interval": interval, **more})  # type: ignore[arg-type]


def difference(metric: Metric, version: str, baseline: str, dataset: str, value: float, winner: Winner) -> Difference:
    """A tested difference."""
    p_value = 0.4 if winner == "unclear" else 0.0004
    return Difference(
        metric,
        version,
        baseline,
        dataset,
        value,
        Interval(value - 0.04, value + 0.04, 0.95, "Newcombe"),
        p_value,
        min(1.0, 2 * p_value),
        "McNemar mid-p",
        lines=100,
        won=18,
        lost=6,
        tied=76,
        winner=winner,
        detectable=0.03,
        lines_needed=1200 if winner == "unclear" else None,
    )


def gates(metric: str, version: str, dataset: str) -> tuple[GateResult, ...]:
    """One of each verdict."""
    verdicts: Sequence[Verdict] = ("pass", "fail", "inconclusive")
    return tuple(
        GateResult(
            f"{metric} >= {0.8 + place / 20}",
            verdict,
            f"{metric} of {version} is 0.85 [0.80, 0.90].",
            metric,
            version,
            dataset,
            lines_needed=400 if verdict == "inconclusive" else None,
        )
        for place, verdict in enumerate(verdicts)
    )


def evidence(
    versions: Sequence[str],
    datasets: Sequence[str],
    *,
    metric: str = "accuracy",
    column: str = "difficulty",
    values: Sequence[str] = ("easy", "hard"),
    scores: Mapping[str, Mapping[str, Sequence[float]]] | None = None,
    lines: Sequence[int] = (),
    verdict: Verdict | None = "fail",
) -> Evidence:
    """Two metrics on each dataset, the first version as baseline; ``scores`` is ``{metric: {version: values}}``."""
    right = Metric(metric, "binary", True, low=0, high=1, meaning="Share of lines that are right; a failed one is not.")
    grade = Metric(f"{metric}_grade", "score", False, meaning="Mean grade.")
    metrics = {each.name: each for each in (right, grade)}
    base, *others = versions
    return Evidence(
        metrics=(right, grade),
        scores=tuple(
            Scores(metrics[name], dataset, lines, found)
            for name, found in (scores or {}).items()
            for dataset in datasets
        ),
        estimates=tuple(
            estimate(each, version, dataset, 0.7 + place / 20, failed_lines=place)
            for each in (right, grade)
            for dataset in datasets
            for place, version in enumerate(versions)
        ),
        differences=tuple(
            difference(each, version, base, dataset, 0.05, winner)
            for each in (right, grade)
            for dataset in datasets
            for version, winner in zip(others, _WINNERS * len(others), strict=False)
        ),
        slices=tuple(
            estimate(right, version, dataset, 0.9 - at / 4 + place / 50, lines=60 - 20 * at, slice={column: value})
            for dataset in datasets
            for place, version in enumerate(versions)
            for at, value in enumerate(values)
        ),
        gates=gates(metric, versions[-1], datasets[0]) if verdict else (),
        verdict=verdict,
        baseline=base,
        columns=(column,),
        pareto={datasets[0]: tuple(versions[-1:])},
        agreements=("The judge agrees with people: Cohen's κ 0.71 [0.62, 0.80].",),
        warnings=("The dataset has a column without values.",),
    )


_WINNERS: tuple[Winner, ...] = ("better", "unclear", "worse")
