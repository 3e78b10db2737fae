"""Means of bounded values, tested after every line: stop whenever you like, the level holds.

A gambler bets against "the mean is m" with capital 1. If m is the mean, the capital passes 1 / alpha with a chance of
at most alpha, ever; so a capital that large is a proof. No assumption but the bounds, and lines in random order.
Waudby-Smith and Ramdas 2023, "Estimating means of bounded random variables by betting" (hedged capital, predictable
plug-in bets). With ``lines_in_all`` the values are drawn without replacement from a dataset of that size, and what is
tested is the mean over that whole dataset: the decision that the full run would have given.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Literal

from flowyard.statistics.inputs import Bounds, require_finite, require_probability

__all__ = ["BettingTest", "Direction", "betting_interval", "betting_p_value", "empirical_bernstein_interval"]

Direction = Literal["greater", "less"]

_LARGEST_SHARE = 0.5
"""Of what may be lost on a line, so that a single line never ruins the gambler."""


class BettingTest:
    """Evidence against "the mean is ``mean`` or on the other side", line by line.

    ``direction`` "greater" looks for a mean above it, "less" for one below. ``alpha`` only tunes the bets: they grow
    fastest for a test at that level. Not safe for threads.
    """

    def __init__(
        self,
        mean: float,
        low: float,
        high: float,
        direction: Direction,
        *,
        alpha: float = 0.05,
        lines_in_all: int | None = None,
    ) -> None:
        """ValueError unless low < high, both finite, and low <= mean <= high."""
        if not (math.isfinite(low) and math.isfinite(high) and low <= mean <= high and low < high):
            raise ValueError(f"{mean} has to lie between finite bounds {low} and {high}")
        self._low, self._width, self._mirrored = low, high - low, direction == "less"
        scaled = (mean - low) / self._width
        self._mean = 1 - scaled if self._mirrored else scaled
        self._tuning = 2 * math.log(1 / require_probability(alpha, "alpha"))
        self._lines_in_all = lines_in_all
        self._total, self._squares = 0.0, 0.25
        self.lines = 0
        self.log_capital = 0.0
        self.log_best = 0.0

    @property
    def p_value(self) -> float:
        """Valid at any time (Ville 1939): one over the largest capital so far."""
        return math.exp(-self.log_best)

    def add(self, value: float) -> float:
        """Bet on one more line; the p-value after it. ValueError for a value out of bounds or a line too many."""
        x = (value - self._low) / self._width
        if not -1e-12 <= x <= 1 + 1e-12:
            raise ValueError(f"{value} is not between {self._low} and {self._low + self._width}")
        x = min(1.0, max(0.0, 1 - x if self._mirrored else x))
        self.log_capital += math.log1p(self._gain(x, self._expected()))
        self._learn(x)
        if self._is_certain():
            self.log_capital = math.inf
        self.log_best = max(self.log_best, self.log_capital)
        return self.p_value

    def _expected(self) -> float:
        """The mean of the next value under H0, 0..1 unless H0 is impossible already."""
        if self._lines_in_all is None:
            return self._mean
        left = self._lines_in_all - self.lines
        if left < 1:
            raise ValueError(f"there are only {self._lines_in_all} lines in all")
        return (self._lines_in_all * self._mean - self._total) / left

    def _is_certain(self) -> bool:
        """Whether no values of the lines that are left can bring the mean back to H0."""
        return self._lines_in_all is not None and self._total > self._lines_in_all * self._mean + 1e-9

    def _gain(self, x: float, expected: float) -> float:
        following = self.lines + 1
        variance = self._squares / following
        bet = math.sqrt(self._tuning / (variance * following * math.log1p(following)))
        if expected > 0:
            bet = min(bet, _LARGEST_SHARE / expected)
        return bet * (x - max(0.0, expected))

    def _learn(self, x: float) -> None:
        self.lines += 1
        self._total += x
        guess = (0.5 + self._total) / (self.lines + 1)
        self._squares += (x - guess) ** 2


def betting_p_value(
    values: Sequence[float],
    mean: float,
    low: float,
    high: float,
    direction: Direction,
    *,
    alpha: float = 0.05,
    lines_in_all: int | None = None,
) -> float:
    """The p-value after all values, in their order (see :class:`BettingTest`); 1 without values."""
    test = BettingTest(mean, low, high, direction, alpha=alpha, lines_in_all=lines_in_all)
    for value in require_finite(values):
        test.add(value)
    return test.p_value


def betting_interval(
    values: Sequence[float], low: float, high: float, confidence: float = 0.95, *, lines_in_all: int | None = None
) -> Bounds:
    """All means that two one-sided gamblers did not disprove at any time; exact to 1e-9 of the width.

    Covers the mean at all times at once with this confidence. (low, high) without values.
    """
    side = (1 - require_probability(confidence, "confidence")) / 2
    numbers = require_finite(values)

    def disproved(mean: float, direction: Direction) -> bool:
        return betting_p_value(numbers, mean, low, high, direction, alpha=side, lines_in_all=lines_in_all) <= side

    return Bounds(_limit(disproved, "greater", low, high), _limit(disproved, "less", high, low))


def _limit(disproved: Callable[[float, Direction], bool], direction: Direction, far: float, near: float) -> float:
    """The end of the means that were disproved, which reach from ``far`` towards ``near`` if there are any."""
    if not disproved(far, direction):
        return far
    width = abs(near - far)
    while abs(near - far) > 1e-9 * width:
        middle = (far + near) / 2
        far, near = (middle, near) if disproved(middle, direction) else (far, middle)
    return far


def empirical_bernstein_interval(values: Sequence[float], low: float, high: float, confidence: float = 0.95) -> Bounds:
    """The same promise in closed form, wider (Waudby-Smith and Ramdas 2023, theorem 2: predictable plug-in).

    (low, high) without values; the intersection over all times so far is not taken.
    """
    tuning = 2 * math.log(2 / (1 - require_probability(confidence, "confidence")))
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise ValueError(f"{low} and {high} are no bounds")
    weights = weighted = spent = total = 0.0
    squares, guess = 0.25, 0.5
    for place, value in enumerate(require_finite(values), 1):
        x = (value - low) / (high - low)
        if not -1e-12 <= x <= 1 + 1e-12:
            raise ValueError(f"{value} is not between {low} and {high}")
        bet = min(0.5, math.sqrt(tuning / (squares / place * place * math.log1p(place))))
        weights, weighted = weights + bet, weighted + bet * x
        spent += (x - guess) ** 2 * (-math.log1p(-bet) - bet)
        total += x
        guess = (0.5 + total) / (place + 1)
        squares += (x - guess) ** 2
    if weights == 0:
        return Bounds(low, high)
    center, half = weighted / weights, (tuning / 2 + spent) / weights
    scale = high - low
    return Bounds(max(low, low + scale * (center - half)), min(high, low + scale * (center + half)))
