"""Whether a number is near the expected one."""

from __future__ import annotations

import math
from typing import Any

from flowyard.errors import LineError, UserError
from flowyard.evaluation.builtin.given import number_of, require_expected

__all__ = ["NumericTolerance"]


class NumericTolerance:
    """Equal when the difference is at most ``absolute``, or at most ``relative`` of the expected number.

    Raises UserError for a tolerance below 0.
    """

    def __init__(self, absolute: float = 0.0, relative: float = 0.0) -> None:
        if not (absolute >= 0 and relative >= 0):
            raise UserError("'absolute' and 'relative' are differences that are allowed, so they are 0 or more.")
        self._absolute = absolute
        self._relative = relative

    def __call__(self, *, answer: Any, ground_truth: Any) -> dict[str, float | None]:
        """``numeric_tolerance`` and ``absolute_error``. Raises LineError when the expected value is no number."""
        expected = number_of(require_expected(ground_truth))
        if expected is None or not math.isfinite(expected):
            raise LineError(f"'ground_truth' is {ground_truth!r}, not a number.", hint="Correct the line in the data.")
        given = number_of(answer)
        if given is None or not math.isfinite(given):
            return {"numeric_tolerance": 0, "absolute_error": None}
        error = abs(given - expected)
        fits = error <= max(self._absolute, self._relative * abs(expected))
        return {"numeric_tolerance": int(fits), "absolute_error": error}
