"""Does the primary metric differ? Stratified by epoch: a changed split never mixes times with arms."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from flowyard.ab.evidence import ArmCounts, Epoch
from flowyard.ab.policy import AbPolicy
from flowyard.statistics.inputs import Bounds
from flowyard.statistics.sequential import (
    SplitEpoch,
    anytime_p_value,
    multinomial_log_e_value,
    normal_mixture,
    rates_log_e_value,
)

__all__ = ["BURN_IN", "Primary", "Sums", "measure_primary", "split_epochs", "stratified"]

BURN_IN = 50
"""Outcomes of each arm (of the rarer kind, for yes and no) before a confidence sequence of means is trusted."""

Method = Literal["exact_counts", "means", "adjusted_means"]


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
    theta, factor = _theta(split) if policy.covariate else (0.0, None)
    pairs = [_pair(each, theta if policy.covariate else None) for each in split]
    difference = stratified(pairs)
    is_warm = _is_warm(policy, split, adjusted=policy.covariate is not None)
    sequence = None
    if difference is not None and is_warm:
        sequence = normal_mixture(difference.estimate, difference.standard_error, difference.n, policy.alpha)
    if policy.primary.is_binary and not policy.covariate:
        method: Method = "exact_counts"
        p_value = anytime_p_value(rates_log_e_value(split_epochs(split)))
    else:
        method = "adjusted_means" if policy.covariate else "means"
        p_value = sequence.p_value if sequence else 1.0
    estimate = difference.estimate if difference else None
    control, treatment = (_all(split, arm) for arm in ("control", "treatment"))
    return Primary(
        method,
        _mean(control),
        _mean(treatment),
        control.values,
        treatment.values,
        estimate,
        sequence.interval if sequence else None,
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
    return all((arm.paired if adjusted else arm.values) >= BURN_IN for arm in arms)


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
