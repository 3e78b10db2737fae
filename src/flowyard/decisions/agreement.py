"""How far a judge and people agree on the same lines, and what the judge's errors do to the interval of its metric."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from flowyard.decisions.model import Estimate, Interval, Metric, Scores

__all__ = ["Agreement", "corrected_estimate", "judge_agreement"]


@dataclass(frozen=True, slots=True)
class Agreement:
    """A judge beside people, on the lines that both graded.

    ``confusion[i][j]`` counts the lines that people gave ``grades[i]`` and the judge ``grades[j]``. ``kappa`` is
    Cohen's for binary grades, and with quadratic ``weights`` for a scale; None when it is not defined. ``ungraded`` are
    lines that people graded and the judge did not.
    """

    metric: Metric
    dataset: str
    grades: tuple[float, ...]
    confusion: tuple[tuple[int, ...], ...]
    lines: int
    ungraded: int
    agreed: float
    kappa: float | None
    weights: str
    interval: Interval | None
    versions: tuple[str, ...] = ()

    @property
    def sentence(self) -> str:
        """All of it in a sentence for people."""
        raise NotImplementedError


def judge_agreement(scores: Scores, labels: Mapping[int, float], version: str | None = None) -> Agreement:
    """The judge's grades of a version, or of all versions together, beside the people's: ``{line number: label}``."""
    raise NotImplementedError


def corrected_estimate(estimate: Estimate, scores: Scores, labels: Mapping[int, float]) -> Estimate:
    """The estimate with the judge's error taken out of its value and into its interval.

    ``labels`` are people's grades of this version's lines, by line number. The estimate comes back as it is when too
    few lines have one.
    """
    raise NotImplementedError
