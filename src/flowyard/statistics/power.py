"""How many lines a difference needs, and which difference so many lines can show. Asked before anything is paid, and
again after a result that is unclear.

Sizes are real numbers, as R gives them; :func:`lines_needed` and :func:`lines_needed_binary` round up. ``alpha`` is
two-sided unless ``sides`` is 1. The tail on the wrong side is left out, as in R's ``strict = FALSE``.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

from flowyard.statistics.inputs import require_positive, require_probability
from flowyard.statistics.special import normal_cdf, normal_quantile, student_t_quantile

__all__ = [
    "detectable_difference",
    "detectable_difference_binary",
    "lines_needed",
    "lines_needed_binary",
    "mcnemar_power",
    "mcnemar_size",
    "noncentral_t_sf",
    "t_power",
    "t_size",
    "two_proportions_power",
    "two_proportions_size",
]

Sides = Literal[1, 2]
_MOST_LINES = 1e12
_STEPS = 1_000


def noncentral_t_sf(t: float, degrees_of_freedom: float, shift: float) -> float:
    """P(T > t) of Student's t with a noncentral ``shift``: the normal tail, averaged over the chi distribution.

    The trapezoidal rule on a logarithmic scale, on which it converges faster than any power; error below 1e-11.
    """
    freedom = require_positive(degrees_of_freedom, "degrees_of_freedom")

    def log_weight(u: float) -> float:  # of the spread exp(u), relative to its top at u = 0
        return freedom * u - freedom * math.expm1(2 * u) / 2

    low, high = -1.0 / math.sqrt(freedom), 1.0 / math.sqrt(freedom)
    while log_weight(low) > -40:
        low *= 1.2
    while log_weight(high) > -40:
        high *= 1.2
    step = (high - low) / _STEPS
    weights = total = 0.0
    for place in range(_STEPS + 1):
        u = low + place * step
        weight = math.exp(log_weight(u))
        weights += weight
        total += weight * normal_cdf(shift - t * math.exp(u))
    return total / weights


def t_power(
    n: float, difference: float, sd: float = 1.0, alpha: float = 0.05, *, paired: bool = False, sides: Sides = 2
) -> float:
    """The chance that a t-test shows ``difference``: R's ``power.t.test``.

    ``n`` is the number of lines of each of two groups, or with ``paired`` of lines; then ``sd`` is that of the
    differences. ValueError unless n > 1 and sd > 0.
    """
    require_probability(alpha, "alpha")
    require_positive(sd, "sd")
    if not n > 1:
        raise ValueError(f"n is {n}; more than 1 is needed")
    freedom = (n - 1) if paired else 2 * (n - 1)
    shift = abs(difference) / sd * math.sqrt(n if paired else n / 2)
    return noncentral_t_sf(student_t_quantile(1 - alpha / sides, freedom), freedom, shift)


def t_size(
    difference: float,
    sd: float = 1.0,
    power: float = 0.8,
    alpha: float = 0.05,
    *,
    paired: bool = False,
    sides: Sides = 2,
) -> float:
    """The n (see :func:`t_power`) that shows ``difference`` with this power; at least 2. ValueError for 0."""
    _require_difference(difference)
    require_probability(power, "power")
    return _smallest(lambda n: t_power(n, difference, sd, alpha, paired=paired, sides=sides) - power, 2.0)


def two_proportions_power(n: float, first: float, second: float, alpha: float = 0.05, *, sides: Sides = 2) -> float:
    """The chance to show that two shares differ with ``n`` lines in each of two groups: R's ``power.prop.test``."""
    for share in (first, second):
        require_probability(share, "a share", closed=True)
    require_positive(n, "n")
    null, apart = _prop_spreads(first, second, 0.5)
    z = normal_quantile(1 - require_probability(alpha, "alpha") / sides)
    gained = math.sqrt(2 * n) * abs(first - second) - z * null
    return normal_cdf(gained / apart) if apart else float(gained > 0)


def two_proportions_size(
    first: float,
    second: float,
    power: float = 0.8,
    alpha: float = 0.05,
    *,
    share_of_second: float = 0.5,
    sides: Sides = 2,
) -> float:
    """Lines in ALL of both groups that show two shares to differ; the second group gets ``share_of_second`` of them.

    With equal groups it is twice the n of R's ``power.prop.test``. ValueError for equal shares.
    """
    for share in (first, second):
        require_probability(share, "a share", closed=True)
    _require_difference(first - second)
    null, apart = _prop_spreads(first, second, require_probability(share_of_second, "share_of_second"))
    z = normal_quantile(1 - require_probability(alpha, "alpha") / sides)
    return ((z * null + normal_quantile(require_probability(power, "power")) * apart) / (first - second)) ** 2


def _prop_spreads(first: float, second: float, share_of_second: float) -> tuple[float, float]:
    """Standard deviations of the difference, for one line in all: under equal shares, and as they are."""
    own = 1 - share_of_second
    pooled = own * first + share_of_second * second
    apart = first * (1 - first) / own + second * (1 - second) / share_of_second
    return math.sqrt(pooled * (1 - pooled) * (1 / own + 1 / share_of_second)), math.sqrt(apart)


def mcnemar_power(n: float, difference: float, discordance: float, alpha: float = 0.05, *, sides: Sides = 2) -> float:
    """The chance that McNemar's test shows ``difference`` on n lines, a share ``discordance`` of which is discordant.

    Connor 1987, "Sample size for testing differences in proportions for the paired-sample design". ValueError when the
    difference is larger than the discordance, which cannot be.
    """
    _require_discordance(difference, discordance)
    require_positive(n, "n")
    z = normal_quantile(1 - require_probability(alpha, "alpha") / sides)
    gained = math.sqrt(n) * abs(difference) - z * math.sqrt(discordance)
    spread = math.sqrt(max(0.0, discordance - difference * difference))
    return normal_cdf(gained / spread) if spread else float(gained > 0)


def mcnemar_size(
    difference: float, discordance: float, power: float = 0.8, alpha: float = 0.05, *, sides: Sides = 2
) -> float:
    """The number of lines for :func:`mcnemar_power` (Connor 1987). ValueError for difference 0."""
    _require_difference(difference)
    _require_discordance(difference, discordance)
    z = normal_quantile(1 - require_probability(alpha, "alpha") / sides)
    spread = math.sqrt(max(0.0, discordance - difference * difference))
    return ((z * math.sqrt(discordance) + normal_quantile(power) * spread) / difference) ** 2


def lines_needed(difference: float, sd: float, power: float = 0.8, alpha: float = 0.05) -> int | None:
    """Lines that show a mean paired difference as large as the one seen, with its ``sd``, by a paired t-test.

    None for difference 0, which no number of lines shows; 2 for sd 0.
    """
    if difference == 0:
        return None
    return 2 if sd == 0 else math.ceil(t_size(difference, sd, power, alpha, paired=True) - 1e-9)


def lines_needed_binary(difference: float, discordance: float, power: float = 0.8, alpha: float = 0.05) -> int | None:
    """The same for shares, by McNemar's test; ``discordance`` is the share of discordant lines. None for 0."""
    if difference == 0:
        _require_discordance(difference, discordance)
        return None
    return math.ceil(mcnemar_size(difference, discordance, power, alpha) - 1e-9)


def detectable_difference(lines: int, sd: float, power: float = 0.8, alpha: float = 0.05) -> float | None:
    """The smallest mean paired difference that so many lines show with this power. None for fewer than 2 lines.

    0 for sd 0. ``sd`` is that of the differences.
    """
    require_probability(power, "power")
    if lines < 2:
        return None
    if sd == 0:
        return 0.0
    return sd * _smallest(lambda effect: t_power(lines, effect, 1.0, alpha, paired=True) - power, 1e-12)


def detectable_difference_binary(
    lines: int, discordance: float, power: float = 0.8, alpha: float = 0.05
) -> float | None:
    """The smallest difference of two shares on the same lines that so many lines show with this power.

    A difference cannot exceed the discordance, so that beyond ``discordance`` all discordant lines point one way. None
    when even a difference of 1 would not be seen. For discordance 0 it is the difference that 0 discordant lines rule
    out only weakly: about 8 / lines.
    """
    require_probability(discordance, "discordance", closed=True)

    def missing(difference: float) -> float:
        return mcnemar_power(lines, difference, max(discordance, difference), alpha) - power

    if lines < 1 or missing(1.0) < 0:
        return None
    return _halved(missing, 0.0, 1.0)


def _smallest(rising: Callable[[float], float], start: float) -> float:
    """Where a rising function passes 0, from ``start`` up."""
    low = high = start
    if rising(start) >= 0:
        return start
    while rising(high) < 0:
        low, high = high, high * 2
        if high > _MOST_LINES:
            return math.inf
    return _halved(rising, low, high)


def _halved(rising: Callable[[float], float], low: float, high: float) -> float:
    while high - low > 1e-10 * high:
        middle = (low + high) / 2
        if rising(middle) < 0:
            low = middle
        else:
            high = middle
    return high


def _require_difference(difference: float) -> None:
    if difference == 0 or not math.isfinite(difference):
        raise ValueError(f"no number of lines shows a difference of {difference}")


def _require_discordance(difference: float, discordance: float) -> None:
    require_probability(discordance, "discordance", closed=True)
    if abs(difference) > discordance:
        raise ValueError(f"a difference of {difference} needs more discordant lines than a share of {discordance}")
