"""Quality against cost and against time, with the versions marked that no other beats in both."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from flowyard.decisions.model import Evidence
from flowyard.reports.charts import Chart, round_up
from flowyard.reports.leaderboard import main_metrics, metrics_in_order
from flowyard.reports.line_scores import of_version
from flowyard.reports.table import DatasetTable, Summary, VariantRow, lower_is_better
from flowyard.reports.values import is_ranked, metric_text, ms_text, one_line
from flowyard.runs.cost_text import usd_text

__all__ = ["Point", "pareto_front", "trade_offs"]

_WIDTH, _HEIGHT = 380, 240
_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 14, 12, 36


@dataclass(frozen=True, slots=True)
class Point:
    """A version with its quality and what it costs, in dollars, tokens or milliseconds for each line."""

    letter: str
    row: VariantRow
    colour: int
    quality: float
    price: float


@dataclass(frozen=True, slots=True)
class _Axis:
    title: str
    of: Callable[[VariantRow], float | None]
    text: Callable[[float], str]


def trade_offs(summary: Summary, evidence: Evidence | None) -> list[Chart]:
    """Two charts for each dataset where at least two versions have a quality and a price."""
    name, higher = _quality_metric(summary, evidence)
    if name is None:
        return []
    charts = []
    for table in summary.datasets:
        for axis in (_COST if summary.has_costs else _TOKENS, _TIME):
            points = _points(summary, table, evidence, name, axis)
            if len(points) > 1 and any(point.price for point in points):
                charts.append(_chart(table, name, axis, points, higher=higher))
    return charts


def pareto_front(points: Sequence[Point], *, higher: bool = True) -> list[Point]:
    """The points that no other beats in one and equals in the other, the cheapest first."""

    def beats(one: Point, other: Point) -> bool:
        gain = one.quality - other.quality if higher else other.quality - one.quality
        return gain >= 0 and one.price <= other.price and (gain > 0 or one.price < other.price)

    front = [point for point in points if not any(beats(other, point) for other in points)]
    return sorted(front, key=lambda point: (point.price, point.quality))


def _quality_metric(summary: Summary, evidence: Evidence | None) -> tuple[str | None, bool]:
    tested = [metric for metric in metrics_in_order(evidence) if metric.kind != "total"] if evidence else []
    if tested:
        return tested[0].name, tested[0].higher_is_better
    first = next(iter(main_metrics(summary, most=1)), None)
    return first, first is not None and not lower_is_better(first)


def _points(summary: Summary, table: DatasetTable, evidence: Evidence | None, metric: str, axis: _Axis) -> list[Point]:
    values = {
        each.version: each.value
        for each in (evidence.estimates if evidence else ())
        if each.metric.name == metric and each.dataset == table.name and not each.slice
    }
    points = []
    for place, row in enumerate(table.rows):
        quality, price = of_version(row, values) if evidence else row.metrics.get(metric), axis.of(row)
        if quality is not None and is_ranked(quality) and price is not None:
            letter = chr(ord("A") + place) if place < 26 else str(place + 1)
            points.append(Point(letter, row, summary.labels.index(row.label) % 8, float(quality), price))
    return points


def _chart(table: DatasetTable, metric: str, axis: _Axis, points: Sequence[Point], *, higher: bool) -> Chart:
    front = pareto_front(points, higher=higher)
    low, high = _range([point.quality for point in points])
    top = round_up(max(point.price for point in points)) or 1.0

    def place(point: Point) -> tuple[float, float]:
        x = _LEFT + point.price / top * (_WIDTH - _LEFT - _RIGHT)
        return x, _TOP + (high - point.quality) / (high - low) * (_HEIGHT - _TOP - _BOTTOM)

    parts = [_frame(axis, top, low, high)]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in map(place, front))
    parts.append(Markup('<polyline class="front" points="{}"/>').format(line))
    on_front = {point.letter for point in front}
    parts += [_dot(point, *place(point), on_front=point.letter in on_front) for point in points]
    parts += [_legend(point, index, axis, on_front=point.letter in on_front) for index, point in enumerate(points)]
    said = "; ".join(
        f"{point.row.label}: {metric_text(point.quality)} at {axis.text(point.price)}"
        f"{', on the Pareto front' if point.letter in on_front else ''}"
        for point in points
    )
    note = f"{'Up' if higher else 'Down'} and left is better. ◆ Pareto front: no other is better in both."
    title = f"{metric} against {axis.title} · {table.name}"
    start = Markup('<svg viewBox="0 0 {} {}" role="img"><title>{}</title><desc>{}</desc>')
    height = _HEIGHT + 8 + 20 * len(points)
    return Chart(title, note, start.format(_WIDTH, height, title, said) + Markup("").join(parts) + Markup("</svg>"))


def _range(values: Sequence[float]) -> tuple[float, float]:
    low, high = min(values), max(values)
    room = (high - low) * 0.15 or 0.05
    return low - room, high + room


def _frame(axis: _Axis, top: float, low: float, high: float) -> Markup:
    bottom, right = _HEIGHT - _BOTTOM, _WIDTH - _RIGHT
    parts = []
    for share in (0.0, 0.5, 1.0):
        x, y = _LEFT + share * (right - _LEFT), bottom - share * (bottom - _TOP)
        parts.append(Markup('<path class="grid" d="M{0} {1:.1f}H{2}"/>').format(_LEFT, y, right))
        text = Markup('<text class="axis" x="{}" y="{:.1f}" text-anchor="end">{}</text>')
        parts.append(text.format(_LEFT - 6, y + 4, metric_text(low + share * (high - low))))
        anchor = "start" if share == 0 else "middle" if share < 1 else "end"
        text = Markup('<text class="axis" x="{:.1f}" y="{}" text-anchor="{}">{}</text>')
        parts.append(text.format(x, bottom + 16, anchor, axis.text(share * top)))
    text = Markup('<text class="axis" x="{}" y="{}" text-anchor="middle">{}</text>')
    return Markup("").join(parts) + text.format((_LEFT + right) / 2, bottom + 31, axis.title)


def _dot(point: Point, x: float, y: float, *, on_front: bool) -> Markup:
    """Diamonds are on the front, circles are not; the letter says which version it is."""
    if on_front:
        shape = Markup('<path class="f{0} dot" d="M{1:.1f} {2:.1f}l11 11l-11 11l-11 -11z"/>').format(
            point.colour, x, y - 11
        )
    else:
        shape = Markup('<circle class="f{} dot" cx="{:.1f}" cy="{:.1f}" r="9"/>').format(point.colour, x, y)
    letter = Markup('<text class="letter" x="{:.1f}" y="{:.1f}" text-anchor="middle">{}</text>')
    return shape + letter.format(x, y + 4, point.letter)


def _legend(point: Point, index: int, axis: _Axis, *, on_front: bool) -> Markup:
    y = _HEIGHT + 16 + 20 * index
    values = f"{metric_text(point.quality)} · {axis.text(point.price)}"
    name = one_line(point.row.label, most=max(10, 46 - len(values)))
    mark = "◆" if on_front else "●"
    left = Markup('<text class="label" x="0" y="{}">{} {} {}<title>{}</title></text>')
    right = Markup('<text x="{}" y="{}" text-anchor="end">{}</text>')
    return left.format(y, mark, point.letter, name, point.row.label) + right.format(_WIDTH, y, values)


def _each_line(value: float, row: VariantRow) -> float | None:
    done = row.lines.completed + row.lines.failed
    return value / done if done else None


_COST = _Axis("cost per line", lambda row: _each_line(row.usage.cost_usd + row.usage.saved_usd, row), usd_text)
_TOKENS = _Axis("tokens per line", lambda row: _each_line(row.usage.total_tokens, row), lambda value: f"{value:,.0f}")
_TIME = _Axis("median time of a line", lambda row: row.latency.p50_ms if row.latency else None, ms_text)
