"""Numbers that came from elsewhere: Python's whole numbers may be too large to be floats."""

from __future__ import annotations

import math
from typing import Any

__all__ = ["LARGEST", "is_finite", "percent_text"]

LARGEST = 1e150
"""Squares of larger numbers, which variances sum up, are beyond what a float can be."""


def is_finite(value: Any) -> bool:
    """Whether it is a truth value or a number that a float can be: neither NaN, nor infinite, nor beyond 1.8e308."""
    try:
        return isinstance(value, int | float) and math.isfinite(value)
    except OverflowError:
        return False


def percent_text(share: float, digits: int = 0) -> str:
    """A share as people read it, with at most so many digits after the point: ``95 %``, ``97.5 %``."""
    return f"{round(100 * share, digits):.12g} %"
