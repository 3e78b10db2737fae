"""Charts as inline SVG. Every text goes through Markup.format, which escapes it; colours come from the page's CSS.

A chart is 380 units wide and as high as it needs to be. Each row is a label and a value above a bar or a range, so
that long names and eight variants still fit on a telephone. Lengths are SVG user units.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import floor, log10
from typing import Any

from markupsafe import Markup

from flowyard.reports.table import LATENCY_P50, DatasetTable, Latency, Summary, VariantRow, lower_is_better
from flowyard.reports.values import is_ranked, metric_text, ms_text, one_line

__all__ = ["Chart", "latency_charts", "metric_charts", "round_up"]

_WIDTH = 380
_ROW = 36
_GROUP = 28


@dataclass(frozen=True, slots=True)
class Chart:
    """One drawing with its heading and what to know to read it."""

    title: str
    note: str
    svg: Markup


def metric_charts(summary: Summary) -> list[Chart]:
    """One chart for each numeric metric: a group of bars for each dataset."""
    return [_metric_chart(summary, metric) for metric in summary.ranked_metrics]


def latency_charts(summary: Summary) -> list[Chart]:
    """One chart for each dataset: the spread of line durations of each variant, on one scale."""
    known = [row.latency for row in summary.rows if row.latency]
    top = round_up(max((latency.p95_ms for latency in known), default=0.0))
    tables = [table for table in summary.datasets if any(row.latency for row in table.rows)]
    return [_latency_chart(summary, table, top) for table in tables] if top else []


def _metric_chart(summary: Summary, metric: str) -> Chart:
    values = [float(row.metrics[metric]) for row in summary.rows if is_ranked(row.metrics.get(metric))]
    scale = _scale(values)
    parts: list[Markup] = []
    y = 0
    for table in summary.datasets:
        if len(summary.datasets) > 1:
            parts.append(_group(y, table.name))
            y += _GROUP
        for row in table.rows:
            parts.append(
                _metric_head(y, row, metric) + _bar(y + 20, row.metrics.get(metric), scale, _colour(summary, row))
            )
            y += _ROW
    said = "; ".join(f"{row.dataset}, {row.label}: {metric_text(row.metrics.get(metric))}" for row in summary.rows)
    note = "Lower is better." if lower_is_better(metric) else "Higher is better."
    return Chart(metric, note, _svg(f"Bars of {metric}", f"{note} {said}.", y, parts))


def _scale(values: Sequence[float]) -> tuple[float, float]:
    """The lowest and highest value drawn: always with zero, and up to 1 when the values look like shares."""
    low, high = min(0.0, *values), max(0.0, *values)
    if low == 0 and (high == 0 or 0.2 <= high <= 1):
        high = 1.0
    return low, high


def _metric_head(y: int, row: VariantRow, metric: str) -> Markup:
    best = metric in row.best
    text = metric_text(row.metrics.get(metric))
    return _row_head(y, row.label, f"★ {text}" if best else text, best=best)


def _bar(y: int, value: Any, scale: tuple[float, float], colour: int) -> Markup:
    track = Markup('<rect class="track" x="0" y="{}" width="{}" height="9" rx="2"/>').format(y, _WIDTH)
    if not is_ranked(value):
        return track
    low, high = scale
    unit = _WIDTH / (high - low)
    left, right = sorted([-low * unit, (value - low) * unit])
    bar = Markup('<rect class="f{}" x="{:.1f}" y="{}" width="{:.1f}" height="9" rx="2"/>')
    return track + bar.format(colour, left, y, max(right - left, 1.5))


def _latency_chart(summary: Summary, table: DatasetTable, top: float) -> Chart:
    rows = [row for row in table.rows if row.latency]
    parts = [_axis(len(rows) * _ROW, top)]
    for place, row in enumerate(rows):
        if row.latency:
            parts.append(_range_row(place * _ROW, row, row.latency, _WIDTH / top, _colour(summary, row)))
    said = "; ".join(
        f"{row.label}: median {ms_text(row.latency.p50_ms)}, 95th percentile {ms_text(row.latency.p95_ms)}"
        for row in rows
        if row.latency
    )
    note = "Completed lines: whisker p5 to p95, box p25 to p75, tick p50."
    svg = _svg(f"Time per line on {table.name}", f"{note} {said}.", len(rows) * _ROW + 24, parts)
    return Chart(f"Time per line · {table.name}", note, svg)


def _range_row(y: int, row: VariantRow, latency: Latency, scale: float, colour: int) -> Markup:
    best = LATENCY_P50 in row.best
    values = f"p50 {ms_text(latency.p50_ms)} · p95 {ms_text(latency.p95_ms)}"
    whisker = Markup('<path class="s{}" d="M{:.1f} {}v6m0 -3H{:.1f}m0 -3v6"/>')
    box = Markup('<rect class="f{}" x="{:.1f}" y="{}" width="{:.1f}" height="11" rx="2"/>')
    tick = Markup('<rect class="tick" x="{:.1f}" y="{}" width="2.5" height="15" rx="1"/>')
    return (
        _row_head(y, row.label, f"★ {values}" if best else values, best=best)
        + whisker.format(colour, latency.p5_ms * scale, y + 22, latency.p95_ms * scale)
        + box.format(colour, latency.p25_ms * scale, y + 19, max((latency.p75_ms - latency.p25_ms) * scale, 1.5))
        + tick.format(latency.p50_ms * scale - 1.25, y + 17)
    )


def _row_head(y: int, label: str, value: str, *, best: bool) -> Markup:
    shown = one_line(label, most=max(12, 50 - len(value)))
    left = Markup('<text class="label" x="0" y="{}">{}<title>{}</title></text>').format(y + 13, shown, label)
    style = "value best" if best else "value"
    right = Markup('<text class="{}" x="{}" y="{}" text-anchor="end">{}</text>').format(style, _WIDTH, y + 13, value)
    return left + right


def _group(y: int, name: str) -> Markup:
    return Markup('<text class="group" x="0" y="{}">{}</text>').format(y + 17, one_line(name, most=50))


def _axis(height: int, top: float) -> Markup:
    rule = Markup('<path class="grid" d="M{0:.1f} 0V{1}"/>')
    line = rule + Markup('<text class="axis" x="{0:.1f}" y="{2}" text-anchor="{3}">{4}</text>')
    ticks = [(0.0, "start"), (0.5, "middle"), (1.0, "end")]
    marks = (line.format(share * _WIDTH, height, height + 16, anchor, ms_text(share * top)) for share, anchor in ticks)
    return Markup("").join(marks)


def _svg(title: str, description: str, height: int, parts: Sequence[Markup]) -> Markup:
    start = Markup('<svg viewBox="0 0 {} {}" role="img"><title>{}</title><desc>{}</desc>')
    return start.format(_WIDTH, height, title, description) + Markup("").join(parts) + Markup("</svg>")


def _colour(summary: Summary, row: VariantRow) -> int:
    return summary.labels.index(row.label) % 8


def round_up(value: float) -> float:
    """The next round number: 1, 1.5, 2, 3, 4, 5, 6 or 8 times a power of ten."""
    if value <= 0:
        return 0.0
    power: float = 10.0 ** floor(log10(value))
    return next((step * power for step in (1, 1.5, 2, 3, 4, 5, 6, 8, 10) if step * power >= value), 10 * power)
