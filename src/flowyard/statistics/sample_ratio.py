"""Did versions get the shares of requests that they should? If not, nothing else of the test can be trusted.

While a test runs, use :func:`flowyard.statistics.sequential.multinomial_log_e_value` at alpha 0.001; at its end this.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from flowyard.statistics.inputs import require_count, require_positive
from flowyard.statistics.special import chi_square_sf

__all__ = ["SAMPLE_RATIO_ALPHA", "sample_ratio_p_value"]

SAMPLE_RATIO_ALPHA = 0.001
"""Below it a test is invalid: an alarm stops everything, so it has to be rare."""


def sample_ratio_p_value(counts: Sequence[float], shares: Sequence[float]) -> float:
    """Pearson's chi-square test that counts follow the shares; 1 without events.

    ``shares`` are weights above 0 and need not sum to 1. ValueError for fewer than two versions.
    """
    if len(counts) != len(shares) or len(counts) < 2:
        raise ValueError(f"{len(counts)} counts and {len(shares)} shares; two or more of each are needed")
    whole = math.fsum(require_positive(share, "a share") for share in shares)
    events = math.fsum(require_count(count, "a count") for count in counts)
    if events == 0:
        return 1.0
    expected = [events * share / whole for share in shares]
    statistic = math.fsum((count - mean) ** 2 / mean for count, mean in zip(counts, expected, strict=True))
    return chi_square_sf(statistic, len(counts) - 1)
