"""Does the primary metric differ? Stratified by epoch: a changed split never mixes times with arms."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from flowyard.ab.decision.burn_in import BURN_IN, values_needed
from flowyard.ab.evidence.model import ArmCounts, Epoch
from flowyard.ab.policy.model import AbPolicy, PrimaryMetric
from flowyard.statistics.bounded_scores import ScoreEpoch, scores_interval, scores_log_e_value
from flowyard.statistics.inputs import Bounds
from flowyard.statistics.sequential import (
    SplitEpoch,
    anytime_p_value,
    multinomial_log_e_value,
    normal_mixture,
    rates_log_e_value,
)

__all__ = [
    "Primary",
    "Sums",
    "compared_sums",
    "expected_score",
    "measure_primary",
    "score_epochs",
    "split_epochs",
    "stratified",
]

Method = Literal["exact_counts", "bounded_scores", "means", "adjusted_means"]


@dataclass(frozen=True, slots=True)
class Primary:
    """What is known of the primary metric. Values are shares of successes or means over units, epochs pooled.

    ``difference`` (treatment less control) is stratified by epoch, ``interval`` its confidence sequence, None before
    the burn-in. ``p_value`` holds at any time. ``answers_p_value`` is that of "both arms have outcomes equally often".
    ``variance_factor`` is what CUPED leaves of the variance.
    """

    method: Method
    control: float | None
    treatment: float | None
    control_units: int
    treatment_units: int
    difference: float | None
    interval: Bounds | None
    p_value: float
    verdict: Literal["better", "worse"] | None
    answers_p_value: float
    variance_factor: float | None = None


class Sums(NamedTuple):
    """n, sum and sum of squares of one arm in one epoch."""

    n: int
    total: float
    squares: float

    @property
    def variance(self) -> float:
        return max(0.0, self.squares - self.total * self.total / self.n) / (self.n - 1)


class _Difference(NamedTuple):
    estimate: float
    standard_error: float
    n: int


def measure_primary(policy: AbPolicy, epochs: Sequence[Epoch]) -> Primary:
    """Test the metric by all epochs in which both arms got requests; ``policy.alpha`` is two-sided."""
    split = [each for each in epochs if each.is_split]
    factor = _theta(split)[1] if policy.covariate else None
    difference = stratified(compared_sums(policy, split))
    is_warm = _is_warm(policy, split, adjusted=policy.covariate is not None)
    sequence = None
    if difference is not None and is_warm:
        sequence = normal_mixture(difference.estimate, difference.standard_error, difference.n, policy.alpha)
    if policy.primary.is_binary and not policy.covariate:
        method: Method = "exact_counts"
        p_value = anytime_p_value(rates_log_e_value(split_epochs(split)))
    elif policy.primary.bounds:
        method = "bounded_scores"
        p_value = anytime_p_value(scores_log_e_value(score_epochs(split), guess=expected_score(policy.primary)))
    else:
        method = "adjusted_means" if policy.covariate else "means"
        p_value = sequence.p_value if sequence else 1.0
    interval = _bounded_interval(policy, split) if policy.primary.bounds else sequence.interval if sequence else None
    estimate = difference.estimate if difference else None
    control, treatment = (_all(split, arm) for arm in ("control", "treatment"))
    return Primary(
        method,
        _mean(control),
        _mean(treatment),
        control.values,
        treatment.values,
        estimate,
        interval,
        p_value,
        _verdict(policy, estimate) if p_value <= policy.alpha else None,
        _answers_p_value(split),
        factor,
    )


def split_epochs(epochs: Sequence[Epoch]) -> list[SplitEpoch]:
    """The counts of successes and failures of each epoch."""
    return [
        SplitEpoch(
            each.share, each.control.successes, each.treatment.successes, each.control.failures, each.treatment.failures
        )
        for each in epochs
    ]


def compared_sums(policy: AbPolicy, epochs: Sequence[Epoch]) -> list[tuple[Sums, Sums]]:
    """Control and treatment of each epoch, less what the covariate explains if there is one."""
    theta = _theta(epochs)[0] if policy.covariate else None
    return [_pair(each, theta) for each in epochs]


def score_epochs(epochs: Sequence[Epoch]) -> list[ScoreEpoch]:
    """The counts of bounded outcomes of each epoch, from 0 to 1."""
    return [ScoreEpoch(each.share, *(_shares(arm) for arm in (each.control, each.treatment))) for each in epochs]


def _shares(arm: ArmCounts) -> dict[float, int]:
    return {percent / 100: count for percent, count in arm.scores.items()}


def expected_score(primary: PrimaryMetric) -> float:
    """What is expected of the mean, from 0 at the lower bound to 1 at the upper."""
    return 0.5 if primary.expected is None else primary.scaled(primary.expected)


def _bounded_interval(policy: AbPolicy, epochs: Sequence[Epoch]) -> Bounds | None:
    low, high = policy.primary.bounds or (0.0, 1.0)
    if not any(each.control.values and each.treatment.values for each in epochs):
        return None
    found = scores_interval(score_epochs(epochs), policy.alpha, expected_score(policy.primary))
    return Bounds(found.low * (high - low), found.high * (high - low))


def stratified(pairs: Sequence[tuple[Sums, Sums]]) -> _Difference | None:
    """Second mean less first, averaged over strata by what each can tell; None without two values in both arms."""
    weights = estimate = variance = 0.0
    n = 0
    for first, second in pairs:
        if min(first.n, second.n) < 2:
            continue
        weight = first.n * second.n / (first.n + second.n)
        weights += weight
        estimate += weight * (second.total / second.n - first.total / first.n)
        variance += weight * weight * (first.variance / first.n + second.variance / second.n)
        n += first.n + second.n
    return _Difference(estimate / weights, math.sqrt(variance) / weights, n) if n else None


def _pair(epoch: Epoch, theta: float | None) -> tuple[Sums, Sums]:
    if theta is None:
        return _sums(epoch.control), _sums(epoch.treatment)
    return _adjusted(epoch.control, theta), _adjusted(epoch.treatment, theta)


def _sums(arm: ArmCounts) -> Sums:
    return Sums(arm.values, arm.total, arm.squares)


def _adjusted(arm: ArmCounts, theta: float) -> Sums:
    """Sums of value - theta x covariate over the units that have a covariate."""
    total = arm.paired_total - theta * arm.covariate_total
    squares = arm.paired_squares - 2 * theta * arm.products + theta * theta * arm.covariate_squares
    return Sums(arm.paired, total, squares)


def _theta(epochs: Sequence[Epoch]) -> tuple[float, float]:
    """The slope within arms and epochs, pooled, so that no difference between arms leaks into it; and what is left."""
    products = squares = spread = 0.0
    for arm in (arm for each in epochs for arm in (each.control, each.treatment) if arm.paired):
        products += arm.products - arm.paired_total * arm.covariate_total / arm.paired
        squares += arm.covariate_squares - arm.covariate_total**2 / arm.paired
        spread += arm.paired_squares - arm.paired_total**2 / arm.paired
    if squares <= 0 or spread <= 0:
        return 0.0, 1.0
    theta = products / squares
    return theta, max(0.0, 1 - theta * products / spread)


def _is_warm(policy: AbPolicy, epochs: Sequence[Epoch], *, adjusted: bool) -> bool:
    arms = [_all(epochs, "control"), _all(epochs, "treatment")]
    if policy.primary.is_binary and not adjusted:
        return all(min(arm.successes, arm.failures) >= BURN_IN for arm in arms)
    if policy.primary.is_binary:
        return all(min(arm.successes, arm.failures, arm.paired) >= BURN_IN for arm in arms)
    both = arms[0] + arms[1]
    least = values_needed(both.values, both.total, both.squares, both.cubes)
    return all((arm.paired if adjusted else arm.values) >= least for arm in arms)


def _all(epochs: Sequence[Epoch], arm: Literal["control", "treatment"]) -> ArmCounts:
    total = ArmCounts()
    for each in epochs:
        total += getattr(each, arm)
    return total


def _mean(arm: ArmCounts) -> float | None:
    return arm.total / arm.values if arm.values else None


def _verdict(policy: AbPolicy, difference: float | None) -> Literal["better", "worse"] | None:
    if not difference:
        return None
    return "better" if (difference > 0) == (policy.primary.direction == "higher") else "worse"


def _answers_p_value(epochs: Sequence[Epoch]) -> float:
    """Of "units with an outcome fall to the arms by the split": else who answers depends on the arm."""
    return anytime_p_value(
        math.fsum(
            multinomial_log_e_value((each.control.values, each.treatment.values), (1 - each.share, each.share))
            for each in epochs
        )
    )
