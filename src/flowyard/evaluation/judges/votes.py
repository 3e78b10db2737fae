"""Several judgements of the same material, and the one grade that they make."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, median
from typing import Literal

from flowyard.evaluation.judges.answer import Judgement

__all__ = ["COMBINATIONS", "Combination", "Grade", "combine"]

Combination = Literal["median", "majority", "mean"]
COMBINATIONS: tuple[Combination, ...] = ("median", "majority", "mean")


@dataclass(frozen=True, slots=True)
class Grade:
    """What the votes of one line came to: NaN when there is no grade, and then ``reason`` says why.

    ``votes`` has NaN for a vote without a grade. ``spread`` is the highest minus the lowest vote.
    """

    number: float
    reason: str
    votes: tuple[float, ...]

    @property
    def spread(self) -> float:
        known = [vote for vote in self.votes if not math.isnan(vote)]
        return max(known) - min(known) if known else math.nan


def combine(votes: Sequence[Judgement | str], how: Combination) -> Grade:
    """One grade of several votes, each a judgement or why there is none.

    More than half of the votes have to be judgements, and a majority has to be one: more votes than any other number.
    The reason is that of a vote nearest to the grade.
    """
    judgements = [vote for vote in votes if isinstance(vote, Judgement)]
    numbers = tuple(vote.number if isinstance(vote, Judgement) else math.nan for vote in votes)
    if 2 * len(judgements) <= len(votes):
        return Grade(math.nan, _no_grade(votes), numbers)
    number = _combined([each.number for each in judgements], how)
    if math.isnan(number):
        return Grade(math.nan, "No grade: the votes have no majority.", numbers)
    nearest = min(judgements, key=lambda each: abs(each.number - number))
    return Grade(number, nearest.reason, numbers)


def _combined(numbers: Sequence[float], how: Combination) -> float:
    if how == "median":
        return median(numbers)
    if how == "mean":
        return fmean(numbers)
    (first, most), *others = Counter(numbers).most_common()
    return math.nan if others and others[0][1] == most else first


def _no_grade(votes: Sequence[Judgement | str]) -> str:
    problems = [vote for vote in votes if isinstance(vote, str)]
    if len(votes) == 1:
        return f"No grade: {problems[0]}."
    return f"No grade: {len(problems)} of {len(votes)} votes had none, the first because {problems[0]}."
