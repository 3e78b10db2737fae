"""Tests of scores and of numbers without bounds, thousands at once, looked at again and again: see ``bench.ab``.

Scores are counts of few values, arrays (experiments, looks, values); their e-value is that of
:mod:`flowyard.statistics.bounded_scores` for one epoch. Numbers are drawn one by one and kept as sums up to each look.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy

from bench.ab_simulation import Array, decided
from flowyard.ab.decision.burn_in import BURN_IN, SKEWED
from flowyard.statistics.bounded_scores import BETS, largest_bet
from flowyard.statistics.sequential import normal_mixture_half_width

__all__ = ["NUMBERS", "SCORE_NULLS", "SCORE_POWER", "Numbers", "Scores", "number_looks", "score_log_e", "score_looks"]

_CHUNK = 100


@dataclass(frozen=True, slots=True)
class Scores:
    """How often units of both arms have each of the scores from 0 to 1; ``guess`` is what was expected of the mean."""

    label: str
    control: Sequence[float]
    treatment: Sequence[float]
    share: float
    guess: float = 0.5
    requests: int = 20_000
    looks: int = 200

    @property
    def values(self) -> Array:
        return numpy.linspace(0.0, 1.0, len(self.control))


_STARS, _BETTER = (0.1, 0.1, 0.2, 0.3, 0.3), (0.08, 0.08, 0.17, 0.32, 0.35)
_RARE, _LESS_RARE = (0.95, 0.05), (0.93, 0.07)
SCORE_NULLS = (
    Scores("1 to 5 stars, 50 : 50", _STARS, _STARS, 0.5),
    Scores("1 to 5 stars, 90 : 10", _STARS, _STARS, 0.1),
    Scores("1 to 5 stars, 90 : 10, wrong guess", _STARS, _STARS, 0.1, guess=0.05),
    Scores("0 or 1, 5 %, 90 : 10", _RARE, _RARE, 0.1, guess=0.05),
)
"""Nothing to find."""

SCORE_POWER = (
    Scores("stars, +0.045, 50 : 50", _STARS, _BETTER, 0.5, guess=0.65),
    Scores("stars, +0.045, 90 : 10", _STARS, _BETTER, 0.1, guess=0.65),
    Scores("5 -> 7 %, 90 : 10", _RARE, _LESS_RARE, 0.1, guess=0.05),
)
"""Something to find."""


def score_looks(case: Scores, experiments: int, seed: int, alpha: float) -> tuple[Array, Array]:
    """At which look each experiment was decided by bets, and by means; -1 for never."""
    arms = _counts(case, experiments, seed)
    sums = [tuple(counts @ case.values**power for power in range(4)) for counts in arms]
    return decided(score_log_e(case, *arms), alpha), _by_means(sums[0], sums[1], alpha)


def _counts(case: Scores, experiments: int, seed: int) -> tuple[Array, Array]:
    random = numpy.random.default_rng(seed)
    each = case.requests // case.looks
    treated = random.binomial(each, case.share, (experiments, case.looks))
    control = random.multinomial(each - treated, case.control).cumsum(axis=1)
    return control, random.multinomial(treated, case.treatment).cumsum(axis=1)


def score_log_e(case: Scores, control: Array, treatment: Array) -> Array:
    """:func:`flowyard.statistics.bounded_scores.scores_log_e_value` of every cell."""
    most = largest_bet(case.share, case.guess)
    logs = []
    for bet in (sign * most * part for sign in (1, -1) for part in BETS):
        gains = (case.guess - case.values) / (1 - case.share), (case.values - case.guess) / case.share
        logs.append(sum(counts @ numpy.log1p(bet * z) for counts, z in zip((control, treatment), gains, strict=True)))
    found: Array = numpy.logaddexp.reduce(logs) - numpy.log(len(logs))
    return found


@dataclass(frozen=True, slots=True)
class Numbers:
    """Numbers without bounds; ``draw`` gives as many as asked for, ``times`` multiplies the treatment's."""

    label: str
    share: float
    draw: Callable[[numpy.random.Generator, tuple[int, ...]], Array]
    times: float = 1.0
    requests: int = 20_000
    looks: int = 200


def _normal(random: numpy.random.Generator, size: tuple[int, ...]) -> Array:
    return random.normal(3, 1, size)


def _skewed(random: numpy.random.Generator, size: tuple[int, ...]) -> Array:
    return random.lognormal(0, 1, size)


def _rare(random: numpy.random.Generator, size: tuple[int, ...]) -> Array:
    return random.lognormal(0, 0.5, size) * (random.random(size) < 0.05)


NUMBERS = (
    Numbers("normal, 50 : 50", 0.5, _normal),
    Numbers("normal, 90 : 10", 0.1, _normal),
    Numbers("log-normal, 50 : 50", 0.5, _skewed),
    Numbers("log-normal, 90 : 10", 0.1, _skewed),
    Numbers("95 % zero, 50 : 50", 0.5, _rare),
    Numbers("95 % zero, 90 : 10", 0.1, _rare),
)
"""Nothing to find."""


def number_looks(case: Numbers, experiments: int, seed: int, alpha: float) -> Array:
    """At which look each experiment was decided by means; -1 for never."""
    random = numpy.random.default_rng(seed)
    parts = [_some_numbers(case, min(_CHUNK, experiments - done), random) for done in range(0, experiments, _CHUNK)]
    control, treatment = (
        tuple(numpy.concatenate(sums) for sums in zip(*arm, strict=True)) for arm in zip(*parts, strict=True)
    )
    return _by_means(control, treatment, alpha)


def _some_numbers(case: Numbers, experiments: int, random: numpy.random.Generator) -> list[tuple[Array, ...]]:
    """Number and sums of first, second and third powers of control and treatment, up to each look."""
    size = (experiments, case.looks, case.requests // case.looks)
    treated = random.random(size) < case.share
    values = case.draw(random, size) * numpy.where(treated, case.times, 1.0)
    arms = []
    for arm in (~treated, treated):
        powers = (arm, values * arm, values**2 * arm, values**3 * arm)
        arms.append(tuple(each.sum(axis=2).cumsum(axis=1) for each in powers))
    return arms


def _by_means(control: Sequence[Array], treatment: Sequence[Array], alpha: float) -> Array:
    """The confidence sequence of the difference of means, once both arms have as many units as ``primary`` asks for."""
    with numpy.errstate(divide="ignore", invalid="ignore"):
        means = [total / n for n, total, *_ in (control, treatment)]
        variances = [(squares - total**2 / n) / (n - 1) / n for n, total, squares, _ in (control, treatment)]
        error = numpy.sqrt(variances[0] + variances[1])
        seen = (control[0] + treatment[0])[0]
        width = error * numpy.array([normal_mixture_half_width(1.0, n, alpha) for n in seen])
        apart = numpy.abs(means[1] - means[0]) > width
        _, mean, squares, cubes = _pooled(control, treatment)
        skewness = (cubes - 3 * mean * squares + 2 * mean**3) / (squares - mean**2) ** 1.5
    warm = numpy.minimum(control[0], treatment[0]) >= BURN_IN + SKEWED * numpy.nan_to_num(skewness) ** 2
    return decided(numpy.where(apart & warm, numpy.inf, 0.0), alpha)


def _pooled(control: Sequence[Array], treatment: Sequence[Array]) -> list[Array]:
    """The number of units, and the means of their first, second and third powers."""
    n, *sums = (first + second for first, second in zip(control, treatment, strict=True))
    return [n, *(each / n for each in sums)]
