"""Thousands of tests of two versions at once, looked at again and again: who is wrong how often, and who sees what.

The counts of all experiments are arrays (experiments, looks); the e-values are those of ``flowyard.statistics``, taken
from tables of its logarithms so that many fit into a second. ``tests/unit/ab`` holds both against each other.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy
from numpy.typing import NDArray

from flowyard.ab.decision.burn_in import BURN_IN
from flowyard.statistics.sequential import normal_mixture_half_width

__all__ = [
    "Case",
    "Counts",
    "decided",
    "exact_log_e",
    "multinomial_log_e",
    "sample_ratio_log_e",
    "simulate",
    "warm_means",
]

Array = NDArray[Any]
STRENGTH = 100.0


@dataclass(frozen=True, slots=True)
class Case:
    """Success rates of control and treatment, and the treatment's share, over some requests with equally many looks.

    ``assigned`` is the share that requests really follow, where that is another one.
    """

    control: float
    treatment: float
    share: float
    requests: int = 20_000
    looks: int = 200
    assigned: float | None = None

    @property
    def label(self) -> str:
        return f"{self.control:.0%} and {self.treatment:.0%}, {1 - self.share:.0%} : {self.share:.0%}"


@dataclass(frozen=True, slots=True)
class Counts:
    """Sums up to each look, each of shape (experiments, looks)."""

    share: float
    control: Array
    treatment: Array
    control_successes: Array
    treatment_successes: Array


def simulate(case: Case, experiments: int, seed: int) -> Counts:
    """The counts of that many experiments."""
    random = numpy.random.default_rng(seed)
    size = (experiments, case.looks)
    each = case.requests // case.looks
    treatment = random.binomial(each, case.share if case.assigned is None else case.assigned, size)
    control = each - treatment
    parts = control, treatment, random.binomial(control, case.control), random.binomial(treatment, case.treatment)
    return Counts(case.share, *(part.cumsum(axis=1) for part in parts))


def multinomial_log_e(first: Array, second: Array, share: float) -> Array:
    """:func:`flowyard.statistics.sequential.multinomial_log_e_value` of every cell."""
    return (
        _rising(STRENGTH * (1 - share), first)
        + _rising(STRENGTH * share, second)
        - _rising(STRENGTH, first + second)
        - first * math.log(1 - share)
        - second * math.log(share)
    )


def _rising(start: float, counts: Array) -> Array:
    """log of gamma(start + count) / gamma(start)."""
    steps = numpy.log(start + numpy.arange(int(counts.max(initial=0))))
    return numpy.concatenate([[0.0], steps.cumsum()])[counts]


def exact_log_e(epochs: Sequence[Counts]) -> Array:
    """:func:`flowyard.statistics.sequential.rates_log_e_value` of every cell; epochs multiply."""
    successes = sum(multinomial_log_e(each.control_successes, each.treatment_successes, each.share) for each in epochs)
    failures = sum(
        multinomial_log_e(each.control - each.control_successes, each.treatment - each.treatment_successes, each.share)
        for each in epochs
    )
    return numpy.logaddexp(successes, failures) - math.log(2)


def sample_ratio_log_e(counts: Counts) -> Array:
    """Evidence that requests do not follow the split."""
    return multinomial_log_e(counts.control, counts.treatment, counts.share)


def decided(log_e: Array, alpha: float) -> Array:
    """At which look each experiment was decided first; -1 for never."""
    over = log_e >= math.log(1 / alpha)
    return numpy.where(over.any(axis=1), over.argmax(axis=1), -1)


def warm_means(counts: Counts, alpha: float) -> Array:
    """The same by the confidence sequence of the difference, from :data:`BURN_IN` of the rarer kind in each arm on."""
    arms = ((counts.control, counts.control_successes), (counts.treatment, counts.treatment_successes))
    with numpy.errstate(divide="ignore", invalid="ignore"):
        rates = [successes / n for n, successes in arms]
        error = numpy.sqrt(sum(rate * (1 - rate) / (n - 1) for rate, (n, _) in zip(rates, arms, strict=True)))
        seen = (counts.control + counts.treatment)[0]
        width = error * numpy.array([normal_mixture_half_width(1.0, n, alpha) for n in seen])
        apart = numpy.abs(rates[1] - rates[0]) > width
    warm = numpy.logical_and.reduce([numpy.minimum(successes, n - successes) >= BURN_IN for n, successes in arms])
    return decided(numpy.where(apart & warm, math.inf, 0.0), alpha)
