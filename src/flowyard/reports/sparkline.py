"""A small line of numbers over time: as a drawing, and in letters for the terminal."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from flowyard.reports.values import metric_text

__all__ = ["Sparkline", "spark_letters", "sparkline"]

WIDTH, HEIGHT, _EDGE = 132, 30, 4
_LETTERS = "▁▂▃▄▅▆▇█"


@dataclass(frozen=True, slots=True)
class Sparkline:
    """``points`` is the line in SVG's form, ``(x, y)`` its last point; ``text`` says the numbers."""

    points: str
    x: float
    y: float
    text: str
    width: int = WIDTH
    height: int = HEIGHT


def sparkline(values: Sequence[float]) -> Sparkline | None:
    """Finite numbers, the oldest first, from left to right; None without any."""
    known = [value for value in values if math.isfinite(value)]
    if not known:
        return None
    step = (WIDTH - 2 * _EDGE) / max(1, len(known) - 1)
    places = [
        (round(_EDGE + step * place, 1), round(HEIGHT - _EDGE - share * (HEIGHT - 2 * _EDGE), 1))
        for place, share in enumerate(_shares(known))
    ]
    x, y = places[-1]
    text = ", ".join(metric_text(value) for value in known[-10:])
    return Sparkline(" ".join(f"{left},{top}" for left, top in places), x, y, text)


def spark_letters(values: Sequence[float]) -> str:
    """The same in letters: ``▁▃▇█``."""
    known = [value for value in values if math.isfinite(value)]
    return "".join(_LETTERS[round(share * (len(_LETTERS) - 1))] for share in _shares(known))


def _shares(values: Sequence[float]) -> list[float]:
    """Where each value lies between the smallest (0) and the largest (1); in the middle when all are the same."""
    low, high = min(values, default=0.0), max(values, default=0.0)
    span = high / 2 - low / 2  # the difference of two large numbers may be infinite
    return [0.5 if span <= 0 else (value / 2 - low / 2) / span for value in values]
