"""Do two versions succeed equally often on the same lines? Only lines on which one of them succeeds can tell.

``only_first`` and ``only_second`` count these discordant lines; they are whole numbers. All p-values are two-sided, and
1 where there is no discordant line. Formulas as in Fagerland, Lydersen and Laake 2013, "The McNemar test for binary
matched-pairs data". Our default is mid-p: it keeps its level in practice and wins more often than the exact test.
"""

from __future__ import annotations

import math

from flowyard.statistics.inputs import require_count
from flowyard.statistics.special import binomial_cdf, binomial_pmf, normal_sf

__all__ = ["mcnemar_asymptotic", "mcnemar_corrected", "mcnemar_exact", "mcnemar_mid_p"]


def mcnemar_mid_p(only_first: int, only_second: int) -> float:
    """The exact test with half the weight of what was seen (Lancaster 1961); 1 when both numbers are equal."""
    discordant = _require_discordant(only_first, only_second)
    if only_first == only_second:
        return 1.0
    fewer = int(min(only_first, only_second))
    return min(1.0, 2 * binomial_cdf(fewer, discordant, 0.5) - binomial_pmf(fewer, discordant, 0.5))


def mcnemar_exact(only_first: int, only_second: int) -> float:
    """The exact conditional test: never above its level, the conservative choice (McNemar 1947; Cochran 1950)."""
    discordant = _require_discordant(only_first, only_second)
    return min(1.0, 2 * binomial_cdf(int(min(only_first, only_second)), discordant, 0.5))


def mcnemar_asymptotic(only_first: int, only_second: int) -> float:
    """McNemar's chi-square without correction."""
    return _chi_p(only_first, only_second, 0.0)


def mcnemar_corrected(only_first: int, only_second: int) -> float:
    """McNemar's chi-square with Edwards' correction for continuity; shown for comparison, too conservative to use."""
    return _chi_p(only_first, only_second, 1.0)


def _chi_p(only_first: int, only_second: int, correction: float) -> float:
    discordant = _require_discordant(only_first, only_second)
    if discordant == 0:
        return 1.0
    off = max(0.0, abs(only_first - only_second) - correction)
    return 2 * normal_sf(off / math.sqrt(discordant))


def _require_discordant(only_first: int, only_second: int) -> int:
    counts = (require_count(only_first, "only_first"), require_count(only_second, "only_second"))
    if any(count != int(count) for count in counts):
        raise ValueError(f"{only_first} and {only_second} are no numbers of lines")
    return int(sum(counts))
