"""Which way a metric is better, where nobody says it: told by its name alone."""

from __future__ import annotations

import re

__all__ = ["lower_is_better"]

_LOWER = re.compile("latency|error|cost|loss|distance|failed|duration|tokens", re.IGNORECASE)


def lower_is_better(metric: str) -> bool:
    """Whether a smaller value of this metric is the better one; told by its name alone."""
    return _LOWER.search(metric) is not None
