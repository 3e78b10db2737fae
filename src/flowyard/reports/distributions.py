"""How scores are spread: one small histogram for each version, on the same scales."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from flowyard.reports.charts import Chart
from flowyard.reports.line_scores import LineScores
from flowyard.reports.table import DatasetTable
from flowyard.reports.values import metric_text, one_line, plural

__all__ = ["distribution_charts", "histogram"]

_WIDTH, _BINS = 380, 20
_HEAD, _BARS, _GAP = 20, 44, 12


def distribution_charts(table: DatasetTable, scores: Sequence[LineScores], colours: Sequence[int]) -> list[Chart]:
    """One chart for each metric whose lines score more than 0 and 1."""
    return [_chart(table, score, colours) for score in scores if any(score.values) and not score.is_binary]


def histogram(values: Sequence[float], low: float, high: float, bins: int = _BINS) -> list[int]:
    """How many values fall into each of ``bins`` equal parts of ``low`` to ``high``, both ends included."""
    counts = [0] * bins
    for value in values:
        share = (value - low) / (high - low) if high > low else 0.5
        counts[min(bins - 1, max(0, int(share * bins)))] += 1
    return counts


def _chart(table: DatasetTable, score: LineScores, colours: Sequence[int]) -> Chart:
    columns = [list(found.values()) for found in score.values]
    low = min(min(values) for values in columns if values)
    high = max(max(values) for values in columns if values)
    counts = [histogram(values, low, high) for values in columns]
    most = max(max(each) for each in counts) or 1
    parts, said, y = [], [], 0
    for row, values, bars, colour in zip(table.rows, columns, counts, colours, strict=True):
        mean = sum(values) / len(values) if values else None
        text = f"mean {metric_text(mean)} · {plural(len(values), 'line')}"
        parts.append(_head(row.label, text, y))
        parts += [_bar(place, count / most, y + _HEAD, colour) for place, count in enumerate(bars) if count]
        bottom = y + _HEAD + _BARS
        parts.append(Markup('<path class="grid" d="M0 {0}H{1}"/>').format(bottom, _WIDTH))
        said.append(f"{row.label}: {text}")
        y = bottom + _GAP
    axis = Markup('<text class="axis" x="{}" y="{}" text-anchor="{}">{}</text>')
    parts.append(
        axis.format(0, y + 8, "start", metric_text(low)) + axis.format(_WIDTH, y + 8, "end", metric_text(high))
    )
    note = f"{'Higher' if score.higher_is_better else 'Lower'} is better. How many lines scored what, on one scale."
    title = f"{score.name} · {table.name}"
    start = Markup('<svg viewBox="0 0 {} {}" role="img"><title>{}</title><desc>{}</desc>')
    head = start.format(_WIDTH, y + 14, f"Histograms of {title}", "; ".join(said))
    return Chart(title, note, head + Markup("").join(parts) + Markup("</svg>"))


def _head(label: str, text: str, y: int) -> Markup:
    shown = one_line(label, most=max(12, 50 - len(text)))
    left = Markup('<text class="label" x="0" y="{}">{}<title>{}</title></text>').format(y + 13, shown, label)
    return left + Markup('<text x="{}" y="{}" text-anchor="end">{}</text>').format(_WIDTH, y + 13, text)


def _bar(place: int, share: float, y: int, colour: int) -> Markup:
    width, height = _WIDTH / _BINS, max(1.0, share * _BARS)
    bar = Markup('<rect class="f{}" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}"/>')
    return bar.format(colour, place * width + 0.5, y + _BARS - height, width - 1, height)
