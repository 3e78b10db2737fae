"""Do two versions have the same mean score? For scores between 0 and 1, exact at every look, whatever their shape.

Each unit belongs to the second version with a known chance w. A gambler bets on z = (x - m) / w for its units and
z = -(x - m) / (1 - w) for the others, with a guess m of the mean that was made before: the mean of z is the difference
of the means. Capital grows by 1 + bet * (z - difference); it passes 1 / alpha with a chance of at most alpha, ever,
when that is the difference (Ville 1939). Waudby-Smith and Ramdas 2023, "Estimating means of bounded random variables by
betting"; bets of all sizes share the capital, so that none has to be chosen, and so do both directions. The order of
the units within an epoch does not matter, so that counts are enough.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from flowyard.statistics.inputs import Bounds, require_probability

__all__ = ["BETS", "ScoreEpoch", "largest_bet", "scores_interval", "scores_log_e_value"]

BETS = tuple(2.0**-step for step in range(9))
"""Shares of the largest bet that capital is spread over."""

_SAFE = 0.95
_LEAST_GUESS = 0.05


@dataclass(frozen=True, slots=True)
class ScoreEpoch:
    """How often each score, 0 to 1, was seen while the second version had this share of all units."""

    share_of_second: float
    first: Mapping[float, int] = field(default_factory=dict)
    second: Mapping[float, int] = field(default_factory=dict)


def scores_log_e_value(epochs: Sequence[ScoreEpoch], difference: float = 0.0, guess: float = 0.5) -> float:
    """log e of "the second mean is the first plus ``difference``", two-sided. No epochs: 0.

    ``guess`` is what was expected of the mean before; later epochs are centred at what earlier ones had. ValueError for
    a score, share or guess that is out of bounds.
    """
    up, down = _capitals(epochs, difference, guess)
    return _log_mean([up, down])


def scores_interval(epochs: Sequence[ScoreEpoch], alpha: float = 0.05, guess: float = 0.5) -> Bounds:
    """The confidence sequence of the difference of the means: all that neither direction disproved, to 1e-4."""
    least = math.log(2 / require_probability(alpha, "alpha"))
    return Bounds(
        -_limit(lambda at: _capitals(epochs, -at, guess)[0] >= least),
        _limit(lambda at: _capitals(epochs, at, guess)[1] >= least),
    )


def largest_bet(share: float, guess: float) -> float:
    """What a bet may be at most so that no score ruins the gambler, whatever difference within -1 and 1 he doubts."""
    return _SAFE / (max(guess, 1 - guess) / min(share, 1 - share) + 1)


def _capitals(epochs: Sequence[ScoreEpoch], difference: float, guess: float) -> tuple[float, float]:
    """The logarithms of the capital of those who bet on more and on less than this difference."""
    logs = {sign: [0.0] * len(BETS) for sign in (1, -1)}
    for epoch, centre in zip(epochs, _centres(epochs, guess), strict=True):
        share = require_probability(epoch.share_of_second, "share_of_second")
        most = largest_bet(share, centre)
        gains = [((x - centre) / share, n) for x, n in _checked(epoch.second)]
        gains += [((centre - x) / (1 - share), n) for x, n in _checked(epoch.first)]
        for sign, capital in logs.items():
            for place, part in enumerate(BETS):
                bet = sign * most * part
                capital[place] += math.fsum(n * math.log1p(bet * (z - difference)) for z, n in gains)
    return _log_mean(logs[1]), _log_mean(logs[-1])


def _centres(epochs: Sequence[ScoreEpoch], guess: float) -> Iterable[float]:
    """For each epoch the mean of all before it, with the guess as of one unit."""
    total, units = require_probability(guess, "guess", closed=True), 1.0
    for epoch in epochs:
        yield min(max(total / units, _LEAST_GUESS), 1 - _LEAST_GUESS)
        for x, n in (*epoch.first.items(), *epoch.second.items()):
            total, units = total + x * n, units + n


def _checked(scores: Mapping[float, int]) -> Iterable[tuple[float, int]]:
    for x, n in scores.items():
        if not 0 <= x <= 1:
            raise ValueError(f"{x} is no score between 0 and 1")
        yield x, n


def _limit(disproved: Callable[[float], bool]) -> float:
    """Where, from 1 down, differences are no longer disproved; at least -1."""
    if not disproved(1.0):
        return 1.0
    low, high = -1.0, 1.0
    while high - low > 1e-4:
        middle = (low + high) / 2
        low, high = (low, middle) if disproved(middle) else (middle, high)
    return high


def _log_mean(logs: Sequence[float]) -> float:
    largest = max(logs)
    return largest + math.log(math.fsum(math.exp(each - largest) for each in logs) / len(logs))
