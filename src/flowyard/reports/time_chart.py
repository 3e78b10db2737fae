"""Lines over time as inline SVG, with the span around each in which the true value lies, and lines for limits."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from markupsafe import Markup

from flowyard._util.numbers import is_finite
from flowyard.reports.charts import Chart
from flowyard.reports.values import metric_text, one_line

__all__ = ["Line", "Moment", "time_chart"]

_WIDTH, _HEIGHT = 520, 240
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 14, 12, 26
_ROOM = 0.08
_DASH = 8
_RING = 2.5
_ASIDE = 16
"""How far apart the points of lines are that have one moment only; at one place they would hide each other."""


@dataclass(frozen=True, slots=True)
class Moment:
    """A value at a time, with the ends of its span where it has one."""

    at: datetime
    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """Moments in the order of time; ``stays`` until the next one. ``colour`` is one of the eight of the page."""

    name: str
    colour: int
    moments: Sequence[Moment]
    stays: bool = False


@dataclass(frozen=True, slots=True)
class _Share:
    """Which one, from 0, of how many lines at the same places: each is to be seen."""

    place: int
    of: int


@dataclass(frozen=True, slots=True)
class _Frame:
    first: datetime
    last: datetime
    low: float
    high: float

    def x(self, at: datetime) -> float:
        all_ = (self.last - self.first).total_seconds()
        share = (at - self.first).total_seconds() / all_ if all_ else 0.5
        return _LEFT + share * (_WIDTH - _LEFT - _RIGHT)

    @property
    def is_one_moment(self) -> bool:
        """Whether all there is to draw is of one time."""
        return self.first == self.last

    def y(self, value: float) -> float:
        return _TOP + (self.high - value) / (self.high - self.low) * (_HEIGHT - _TOP - _BOTTOM)


def time_chart(
    title: str, note: str, lines: Sequence[Line], limits: Sequence[tuple[str, float]] = (), *, least_high: float = 0.0
) -> Chart | None:
    """The chart, always with zero and up to ``least_high`` at least; None when there is nothing to draw.

    What is no finite number is left out.
    """
    lines = [replace(line, moments=[*map(_plain, filter(_is_drawn, line.moments))]) for line in lines]
    moments = [each for line in lines for each in line.moments]
    if not moments:
        return None
    frame = _frame(moments, [value for _, value in limits], least_high)
    parts = [_grid(frame)]
    parts += [_limit(frame, name, value) for name, value in limits]
    for place, line in enumerate(lines):
        aside = (place - (len(lines) - 1) / 2) * _ASIDE if frame.is_one_moment else 0.0
        same = [_course(other) == _course(line) for other in lines]
        share = _Share(sum(same[:place]), sum(same))
        parts += [_band(frame, line, aside), _line(frame, line, aside, share)]
    parts += [_legend(place, line) for place, line in enumerate(lines)]
    said = "; ".join(f"{line.name}: {_said(line.moments[-1])} at last" for line in lines if line.moments)
    start = Markup('<svg viewBox="0 0 {} {}" role="img"><title>{}</title><desc>{}</desc>')
    height = _HEIGHT + 20 * len(lines)
    return Chart(title, note, start.format(_WIDTH, height, title, said) + Markup("").join(parts) + Markup("</svg>"))


def _course(line: Line) -> object:
    """The same for lines that would be drawn over each other."""
    values = {each.value for each in line.moments}
    if len(values) == 1 and len(line.moments) > 1:
        return values
    return [(each.at, each.value) for each in line.moments], line.stays


def _is_drawn(moment: Moment) -> bool:
    return is_finite(moment.value)


def _plain(moment: Moment) -> Moment:
    has_span = is_finite(moment.low) and is_finite(moment.high)
    return moment if has_span else replace(moment, low=None, high=None)


def _frame(moments: Sequence[Moment], limits: Sequence[float], least_high: float) -> _Frame:
    ends = [end for each in moments for end in (each.value, each.low, each.high) if end is not None]
    low, high = min(0.0, *ends, *limits), max(0.0, least_high, *ends, *limits)
    if high - low < 1e-12:
        high = low + 1.0
    room = _ROOM * (high - low)
    low, high = (low - room if low < 0 else low), high + room
    return _Frame(min(each.at for each in moments), max(each.at for each in moments), low, high)


def _grid(frame: _Frame) -> Markup:
    right, bottom = _WIDTH - _RIGHT, _HEIGHT - _BOTTOM
    parts = []
    for value in _ticks(frame):
        path = Markup('<path class="{}" d="M{} {:.1f}H{}"/>')
        parts.append(path.format("zero" if value == 0 else "grid", _LEFT, frame.y(value), right))
        text = Markup('<text class="axis" x="{}" y="{:.1f}" text-anchor="end">{}</text>')
        parts.append(text.format(_LEFT - 6, frame.y(value) + 4, f"{value:,.6g}"))
    pattern = "%H:%M:%S" if (frame.last - frame.first).total_seconds() < 600 else "%m-%d %H:%M"
    ends: list[tuple[datetime, float, str]] = [(frame.first, _LEFT, "start"), (frame.last, right, "end")]
    if frame.is_one_moment:
        ends = [(frame.first, frame.x(frame.first), "middle")]
    text = Markup('<text class="axis" x="{}" y="{}" text-anchor="{}">{}</text>')
    parts += [text.format(f"{x:.0f}", bottom + 18, anchor, at.strftime(pattern)) for at, x, anchor in ends]
    return Markup("").join(parts)


def _ticks(frame: _Frame) -> list[float]:
    """Zero and the round numbers on both sides of it."""
    step = 10.0**-12
    while (frame.high - frame.low) / step > 6:
        step *= 2.5 if f"{step:.0e}"[0] == "2" else 2
    first, last = int(frame.low / step), int(frame.high / step)
    return [place * step for place in range(first, last + 1)]


def _limit(frame: _Frame, name: str, value: float) -> Markup:
    y = frame.y(value)
    path = Markup('<path class="base" d="M{} {:.1f}H{}"/>').format(_LEFT, y, _WIDTH - _RIGHT)
    text = Markup('<text class="axis" x="{}" y="{:.1f}" text-anchor="end">{}</text>')
    return path + text.format(_WIDTH - _RIGHT, y - 4, one_line(name, most=40))


def _band(frame: _Frame, line: Line, aside: float) -> Markup:
    spans = [(frame.x(each.at) + aside, each.low, each.high) for each in line.moments]
    known = [(x, frame.y(low), frame.y(high)) for x, low, high in spans if low is not None and high is not None]
    if len(known) == 1:
        ((x, low, high),) = known
        return Markup('<path class="s{} span" d="M{:.1f} {:.1f}V{:.1f}"/>').format(line.colour, x, low, high)
    corners = [(x, high) for x, _, high in known] + [(x, low) for x, low, _ in reversed(known)]
    return (
        Markup('<polygon class="f{} band" points="{}"/>').format(line.colour, _points(corners)) if known else Markup()
    )


def _line(frame: _Frame, line: Line, aside: float, share: _Share) -> Markup:
    places = [(frame.x(each.at) + aside, frame.y(each.value)) for each in line.moments]
    if len(places) == 1:
        radius = 4.5 if aside or frame.is_one_moment else 4.5 + _RING * (share.of - 1 - share.place)
        return Markup('<circle class="f{} dot" cx="{:.1f}" cy="{:.1f}" r="{}"/>').format(
            line.colour, *places[0], radius
        )
    if line.stays:
        places = [corner for place in _with_next(places) for corner in place]
    dashes = Markup("")
    if share.place:  # in the gaps, those that were drawn before are seen
        pattern = Markup(' stroke-dasharray="{} {}" stroke-dashoffset="{}"')
        dashes = pattern.format(_DASH, _DASH * (share.of - 1), -_DASH * share.place)
    return Markup('<polyline class="s{} line" points="{}"{}/>').format(line.colour, _points(places), dashes)


def _with_next(places: Sequence[tuple[float, float]]) -> Iterable[list[tuple[float, float]]]:
    for (x, y), following in zip(places, [*places[1:], None], strict=True):
        yield [(x, y)] if following is None else [(x, y), (following[0], y)]


def _points(places: Iterable[tuple[float, float]]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in places)


def _legend(place: int, line: Line) -> Markup:
    y = _HEIGHT + 12 + 20 * place
    rect = Markup('<rect class="f{}" x="{}" y="{}" width="10" height="10" rx="3"/>').format(line.colour, _LEFT, y - 9)
    name = Markup('<text x="{}" y="{}">{}<title>{}</title></text>')
    last = Markup('<text class="label" x="{}" y="{}" text-anchor="end">{}</text>')
    text = _said(line.moments[-1]) if line.moments else "–"
    shown = one_line(line.name, most=max(12, 60 - len(text)))
    return rect + name.format(_LEFT + 16, y, shown, line.name) + last.format(_WIDTH - _RIGHT, y, text)


def _said(moment: Moment) -> str:
    if moment.low is None or moment.high is None:
        return metric_text(moment.value)
    return f"{metric_text(moment.value)}, {metric_text(moment.low)} to {metric_text(moment.high)}"
