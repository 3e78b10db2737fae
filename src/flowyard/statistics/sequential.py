"""Tests for streams that may be looked at after every event: e-values and confidence sequences.

An e-value of 1 / alpha or more rejects at level alpha, at any time; ``1 / e`` is a p-value that is valid at any time.
Logarithms are returned, because e-values of real differences are larger than a float. Share ``w`` is the chance that an
event is assigned to the second of two versions; it has to be constant for an epoch, and epochs multiply.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from flowyard.statistics.inputs import Bounds, require_count, require_positive, require_probability

__all__ = [
    "MixtureInterval",
    "SplitEpoch",
    "anytime_p_value",
    "multinomial_log_e_value",
    "normal_mixture",
    "normal_mixture_half_width",
    "rates_log_e_value",
]


def anytime_p_value(log_e_value: float) -> float:
    """min(1, 1 / e)."""
    return math.exp(-max(0.0, log_e_value))


def multinomial_log_e_value(counts: Sequence[float], shares: Sequence[float], strength: float = 100.0) -> float:
    """log e of "events fall to the versions by these shares" (Lindon and Malek 2022, multinomial count data).

    The mixture is a Dirichlet distribution around the shares that weighs ``strength`` events. With all requests it is
    the test for a wrong sample ratio; with the successes only, that of equal rates. No events: 0. ValueError unless
    there is a share above 0 for each count and they sum to 1.
    """
    if len(counts) != len(shares) or not counts:
        raise ValueError(f"{len(counts)} counts do not fit {len(shares)} shares")
    for share in shares:
        require_positive(share, "a share")
    if abs(math.fsum(shares) - 1) > 1e-9:
        raise ValueError(f"the shares sum to {math.fsum(shares)}, not 1")
    require_positive(strength, "strength")
    log_e = math.lgamma(strength) - math.lgamma(strength + sum(counts))
    for count, share in zip(counts, shares, strict=True):
        prior = strength * share
        log_e += math.lgamma(prior + require_count(count, "a count")) - math.lgamma(prior) - count * math.log(share)
    return log_e


@dataclass(frozen=True, slots=True)
class SplitEpoch:
    """Counts of two versions while the second had the share ``share_of_second`` of all requests."""

    share_of_second: float
    first_successes: int
    second_successes: int
    first_failures: int
    second_failures: int


def rates_log_e_value(epochs: Sequence[SplitEpoch], strength: float = 100.0) -> float:
    """log e of "both versions succeed equally often", exact for any split and any rate.

    Under H0 each success belongs to the second version with chance ``share_of_second``, and so does each failure: two
    e-values, multiplied over epochs and then averaged. No epochs: 0.
    """
    successes = failures = 0.0
    for epoch in epochs:
        shares = (1 - require_probability(epoch.share_of_second, "share_of_second"), epoch.share_of_second)
        successes += multinomial_log_e_value((epoch.first_successes, epoch.second_successes), shares, strength)
        failures += multinomial_log_e_value((epoch.first_failures, epoch.second_failures), shares, strength)
    larger, smaller = max(successes, failures), min(successes, failures)
    return larger + math.log1p(math.exp(smaller - larger)) - math.log(2)


def normal_mixture_half_width(standard_error: float, n: float, alpha: float = 0.05, tuned_for: float = 5_000) -> float:
    """Half the width of the asymptotic confidence sequence of an estimate over ``n`` events.

    Waudby-Smith et al. 2023, "Time-uniform central limit theory", two-sided, narrowest at ``tuned_for`` events. It is
    asymptotic: do not look before each version has 50 events of the rarer kind (with fewer, a split of 90 to 10 at a
    rate of 5 % was wrong four times as often as promised); :func:`rates_log_e_value` has no such limit.
    """
    require_probability(alpha, "alpha")
    mixing = _mixing(alpha, tuned_for)
    known = require_positive(n, "n") * mixing + 1
    return require_count(standard_error, "standard_error") * math.sqrt(
        2 * known * math.log(math.sqrt(known) / alpha) / (n * mixing)
    )


@dataclass(frozen=True, slots=True)
class MixtureInterval:
    """A confidence sequence at one time, and the p-value of "no difference" that is valid at any time."""

    interval: Bounds
    half_width: float
    p_value: float


def normal_mixture(
    estimate: float, standard_error: float, n: float, alpha: float = 0.05, tuned_for: float = 5_000
) -> MixtureInterval:
    """The confidence sequence around an estimate; standard error 0 gives the point, with p = 1 for 0 and 0 else."""
    half = normal_mixture_half_width(standard_error, n, alpha, tuned_for)
    if standard_error == 0:
        return MixtureInterval(Bounds(estimate, estimate), 0.0, float(estimate == 0))
    known = n * _mixing(alpha, tuned_for) + 1
    log_e = (estimate / standard_error) ** 2 * (known - 1) / (2 * known) - math.log(known) / 2
    return MixtureInterval(Bounds(estimate - half, estimate + half), half, anytime_p_value(log_e))


def _mixing(alpha: float, tuned_for: float) -> float:
    """rho squared: the variance of the mixture that is narrowest at ``tuned_for`` events."""
    log_alpha = -2 * math.log(alpha)
    return (log_alpha + math.log(log_alpha + 1)) / require_positive(tuned_for, "tuned_for")
