"""Not worse than the baseline by more than a margin that was declared before. "p > 0.05" shows nothing of the kind.

Differences are version minus baseline, and larger is better: turn the signs where lower is better. ``margin`` is above
0, in the metric's unit. All tests are one-sided: H0 is "worse by the margin or more".
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from flowyard.statistics.betting import betting_interval, betting_p_value
from flowyard.statistics.inputs import require_finite, require_positive, require_probability
from flowyard.statistics.paired import standard_error
from flowyard.statistics.proportions import tango_interval, tango_p_above
from flowyard.statistics.special import student_t_quantile, student_t_sf

__all__ = ["NotWorse", "bounded_not_worse", "scores_not_worse", "shares_not_worse"]


@dataclass(frozen=True, slots=True)
class NotWorse:
    """``shown`` when p <= alpha. ``low`` is the one-sided lower limit of the difference at confidence 1 - alpha."""

    difference: float
    margin: float
    p_value: float
    low: float
    shown: bool


def shares_not_worse(only_version: int, only_baseline: int, lines: int, margin: float, alpha: float = 0.05) -> NotWorse:
    """For 0 and 1 on the same lines, from the discordant lines: Tango's score test (Tango 1998; Liu et al. 2002).

    It needs lines even when both agree on all: with none discordant, margin 0.05 is shown from 52 lines on. ValueError
    unless 0 < margin < 1.
    """
    require_probability(margin, "margin")
    require_probability(alpha, "alpha")
    p_value = tango_p_above(only_version, only_baseline, lines, -margin)
    low = tango_interval(only_version, only_baseline, lines, 1 - 2 * alpha).low if alpha < 0.5 else -1.0
    difference = (only_version - only_baseline) / lines if lines else 0.0
    return NotWorse(difference, margin, p_value, low, p_value <= alpha)


def scores_not_worse(differences: Sequence[float], margin: float, alpha: float = 0.05) -> NotWorse:
    """For scores on the same lines: the one-sided paired t-test against the margin.

    Equal differences have no variance; if they lie above -margin, p is 0.5 ** lines, that of flipped signs. One line
    shows nothing. It trusts the seen variance: where most lines tie and losses are rare and large, use
    :func:`bounded_not_worse`. ValueError without lines.
    """
    require_positive(margin, "margin")
    require_probability(alpha, "alpha")
    values = require_finite(differences, "differences", at_least=1)
    lines, mean = len(values), math.fsum(values) / len(values)
    if lines == 1:
        return NotWorse(mean, margin, 1.0, -math.inf, False)
    if min(values) == max(values):
        p_value = 0.5**lines if values[0] > -margin else 1.0
        return NotWorse(values[0], margin, p_value, values[0], p_value <= alpha)
    error = standard_error(values)
    p_value = student_t_sf((mean + margin) / error, lines - 1)
    low = mean - student_t_quantile(1 - alpha, lines - 1) * error
    return NotWorse(mean, margin, p_value, low, p_value <= alpha)


def bounded_not_worse(
    differences: Sequence[float], margin: float, low: float, high: float, alpha: float = 0.05
) -> NotWorse:
    """For differences that cannot leave low..high: by betting (see betting.py), sound for any distribution and any n.

    Its price is power: about twice the lines of a t-test. Lines should be in random order. ValueError for values out
    of their bounds, and unless -margin lies inside them.
    """
    require_positive(margin, "margin")
    values = require_finite(differences, "differences", at_least=1)
    p_value = betting_p_value(values, -margin, low, high, "greater", alpha=alpha)
    limit = betting_interval(values, low, high, 1 - 2 * alpha).low
    return NotWorse(math.fsum(values) / len(values), margin, p_value, limit, p_value <= alpha)
