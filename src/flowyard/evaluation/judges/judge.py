"""A judge: an evaluator that asks a language model for a grade and its reason.

Its calls are the flow's: they count as usage, are kept in the cache, keep to the limits and can be recorded.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

from flowyard._util.suggest import known_names
from flowyard.evaluation.judges.asking import Asking
from flowyard.evaluation.judges.criteria import Criteria
from flowyard.evaluation.judges.settings import JudgeSettings, parse_settings
from flowyard.evaluation.judges.votes import Combination, combine

__all__ = ["CriteriaJudge", "mean_of", "require_text"]


class CriteriaJudge:
    """Grades by some criteria. Subclasses take what is graded by name, as ``__call__`` of an evaluator.

    ``options`` are those of JudgeSettings. Raises UserError for options that are wrong, ConnectionMissing.
    """

    def __init__(self, criteria: Criteria, options: Mapping[str, Any]) -> None:
        self.criteria = criteria
        self.settings: JudgeSettings = parse_settings(options)
        self._asking = Asking(self.settings, f"Judge {criteria.name!r}")

    @property
    def name(self) -> str:
        """The name of the score."""
        return self.criteria.name

    @property
    def bounds(self) -> dict[str, tuple[float, float]]:
        """The lowest and the highest that each score can be."""
        return {self.name: (self.criteria.scale.low, self.criteria.scale.high)}

    @property
    def combination(self) -> Combination:
        """How votes become one grade."""
        return self.settings.combine or ("majority" if self.criteria.scale.has_labels else "median")

    async def graded(self, **material: Any) -> dict[str, Any]:
        """``{<name>: grade or NaN, "reason": text}``; with labels a ``label``, with votes ``votes`` and ``spread``.

        What is None is not shown to the model. Raises ProviderError.
        """
        values = {label: value for label, value in material.items() if value is not None}
        grade = combine(await self._asking.votes(self.criteria, values), self.combination)
        found: dict[str, Any] = {self.name: grade.number, "reason": grade.reason}
        if self.criteria.scale.has_labels:
            found["label"] = self.criteria.scale.label_of(grade.number)
        if self.settings.votes > 1:
            found |= {"votes": list(grade.votes), "spread": grade.spread}
        return found

    def __aggregate__(self, results: Sequence[Mapping[str, Any]]) -> dict[str, float]:
        """The mean grade, how many lines have none, and with several votes their mean spread."""
        metrics = {self.name: mean_of(results, self.name), "ungraded": count_missing(results, self.name)}
        if self.settings.votes > 1:
            metrics["spread"] = mean_of(results, "spread")
        return metrics


def require_text(**texts: Any) -> None:
    """Raises ValueError when a text is empty: there is nothing to grade."""
    empty = [name for name, text in texts.items() if text is None or (isinstance(text, str) and not text.strip())]
    if empty:
        raise ValueError(f"There is nothing to grade: {known_names(empty)} must not be empty.")


def mean_of(results: Sequence[Mapping[str, Any]], name: str) -> float:
    """The mean of the numbers of a name; NaN when there is none."""
    known = [float(result[name]) for result in results if _is_number(result.get(name))]
    return fmean(known) if known else math.nan


def count_missing(results: Sequence[Mapping[str, Any]], name: str) -> float:
    """How many results have no number of a name."""
    return float(sum(1 for result in results if not _is_number(result.get(name))))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not math.isnan(value)
