"""When a difference of numbers is shown, such as scores: what :mod:`flowyard.ab.forecast.forecast` asks of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from flowyard.ab.decision.primary import Sums, compared_sums, expected_score, score_epochs, stratified
from flowyard.ab.evidence.model import Epoch
from flowyard.ab.policy.model import AbPolicy
from flowyard.statistics.bounded_scores import ScoreEpoch, scores_log_e_value
from flowyard.statistics.sequential import normal_mixture_half_width

__all__ = ["NumberCase", "number_case", "shows_number"]


@dataclass(frozen=True, slots=True)
class NumberCase:
    """The control's mean and the standard deviation of units, as expected or as seen."""

    mean: float
    spread: float


def number_case(policy: AbPolicy, epochs: Sequence[Epoch]) -> NumberCase | None:
    """What was seen of the units, less what a covariate explains; None before each arm has two."""
    pairs = [pair for pair in compared_sums(policy, epochs) if min(pair[0].n, pair[1].n) > 1]
    if not pairs:
        return None
    arms = [arm for pair in pairs for arm in pair]
    spread = math.sqrt(sum(arm.n * arm.variance for arm in arms) / sum(arm.n for arm in arms))
    return NumberCase(sum(pair[0].total for pair in pairs) / sum(pair[0].n for pair in pairs), spread)


def shows_number(
    policy: AbPolicy, before: Sequence[Epoch], case: NumberCase, share: float, sure: float
) -> Callable[[float, int], bool]:
    """Whether a difference is shown by so many more units, if it comes out ``sure`` standard errors short."""
    sign = 1 if policy.primary.direction == "higher" else -1
    is_shown = _bounded_shown(policy, before, share) if policy.primary.bounds else _means_shown(policy, before)

    def shows(difference: float, n: int) -> bool:
        second = n * share
        first = n - second
        if min(first, second) < 1:
            return is_shown(None)
        short = difference - sure * case.spread * math.sqrt(1 / first + 1 / second)
        if short <= 0:
            return False
        means = ((first, case.mean), (second, case.mean + sign * short))
        return is_shown([_like(size, mean, case.spread) for size, mean in means])

    return shows


_Shown = Callable[[list[Sums] | None], bool]
"""Whether what there is and these more units of both arms are evidence enough."""


def _like(n: float, mean: float, spread: float) -> Sums:
    size = max(1, round(n))
    return Sums(size, size * mean, size * mean * mean + (size - 1) * spread * spread)


def _means_shown(policy: AbPolicy, before: Sequence[Epoch]) -> _Shown:
    pairs = compared_sums(policy, before)

    def is_shown(more: list[Sums] | None) -> bool:
        found = stratified([*pairs, (more[0], more[1])] if more else pairs)
        if found is None or found.n < 1:
            return False
        return abs(found.estimate) > normal_mixture_half_width(found.standard_error, found.n, policy.alpha)

    return is_shown


def _bounded_shown(policy: AbPolicy, before: Sequence[Epoch], share: float) -> _Shown:
    known, guess = score_epochs(before), expected_score(policy.primary)

    def is_shown(more: list[Sums] | None) -> bool:
        epochs = [*known, ScoreEpoch(share, *(_two_scores(policy, each) for each in more))] if more else known
        return scores_log_e_value(epochs, guess=guess) >= math.log(1 / policy.alpha)

    return is_shown


def _two_scores(policy: AbPolicy, sums: Sums) -> dict[float, int]:
    """As many units at two scores, with about the same mean and spread."""
    mean = sums.total / sums.n
    spread = math.sqrt(sums.variance) if sums.n > 1 else 0.0
    scores: dict[float, int] = {}
    for value, count in ((mean - spread, sums.n // 2), (mean + spread, sums.n - sums.n // 2)):
        score = policy.primary.scaled(value)
        scores[score] = scores.get(score, 0) + count
    return scores
