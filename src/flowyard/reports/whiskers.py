"""A value and its interval as a small drawing, on a scale that all versions of a table share."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from flowyard.decisions.model import Estimate

__all__ = ["whiskers"]

_WIDTH, _HEIGHT = 220, 22
_SMALLEST = 1e-300  # a scale that is narrower cannot be divided by
_ROOM = 6


def whiskers(estimates: Sequence[Estimate], base: float | None, colours: Sequence[int]) -> tuple[Markup, ...]:
    """One drawing for each estimate; ``base`` is the baseline's value, drawn as a line through all of them.

    Hidden from screen readers: the numbers stand beside it.
    """
    scale = _scale(estimates)
    return tuple(_whisker(each, scale, base, colour) for each, colour in zip(estimates, colours, strict=True))


def _scale(estimates: Sequence[Estimate]) -> tuple[float, float]:
    ends = [each.value for each in estimates]
    ends += [end for each in estimates if each.interval for end in (each.interval.low, each.interval.high)]
    low, high = min(ends, default=0.0), max(ends, default=1.0)
    if high - low > _SMALLEST:
        return low, high
    room = max(0.5, abs(low) / 10)  # half a unit is nothing beside 1e17
    return low - room, high + room


def _whisker(estimate: Estimate, scale: tuple[float, float], base: float | None, colour: int) -> Markup:
    middle = _HEIGHT / 2
    parts = [Markup('<path class="grid" d="M0 {0}H{1}"/>').format(middle, _WIDTH)]
    if base is not None:
        at = _place(base, scale)
        parts.append(Markup('<path class="base" d="M{0:.1f} 1V{1}"/>').format(at, _HEIGHT - 1))
    if estimate.interval:
        left, right = _place(estimate.interval.low, scale), _place(estimate.interval.high, scale)
        line = Markup('<path class="s{0} whisker" d="M{1:.1f} {2}v8m0 -4H{3:.1f}m0 -4v8"/>')
        parts.append(line.format(colour, left, middle - 4, right))
    dot = Markup('<circle class="f{} dot" cx="{:.1f}" cy="{}" r="4.5"/>')
    parts.append(dot.format(colour, _place(estimate.value, scale), middle))
    start = Markup('<svg class="interval" viewBox="0 0 {} {}" aria-hidden="true" focusable="false">')
    return start.format(_WIDTH, _HEIGHT) + Markup("").join(parts) + Markup("</svg>")


def _place(value: float, scale: tuple[float, float]) -> float:
    low, high = scale
    share = (min(max(value, low), high) - low) / (high - low)
    return _ROOM + share * (_WIDTH - 2 * _ROOM)
