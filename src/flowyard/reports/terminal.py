"""The comparison in a terminal: one row for each variant, fit for 80 columns."""

from __future__ import annotations

from typing import Any

from rich import box
from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

from flowyard.reports.headline import main_metrics
from flowyard.reports.table import LATENCY_P50, Summary, VariantRow
from flowyard.reports.values import metric_text, ms_text, one_line, plural
from flowyard.runs.cost_text import usd_text

__all__ = ["comparison_table"]

_WIDTH = 80
_VARIANT = 32
_METRIC = 16
_FAILED, _P50, _COST = 6, 9, 9


def comparison_table(summary: Summary) -> Table:
    """Variants as rows, the metrics that fit as columns; the best of each dataset is bold and has a star."""
    metrics, left_out = _fitting(summary)
    table = Table(box=box.SIMPLE_HEAD, caption=_caption(summary, left_out), caption_justify="left", expand=False)
    table.add_column("Variant", overflow="fold", max_width=_VARIANT)
    for metric in metrics:
        table.add_column(_header(metric), justify="right", overflow="fold", max_width=_METRIC)
    table.add_column("Failed", justify="right", no_wrap=True)
    table.add_column("p50", justify="right", no_wrap=True)
    if summary.has_costs:
        table.add_column("Cost", justify="right", no_wrap=True)
    for dataset in summary.datasets:
        if len(summary.datasets) > 1:
            table.add_row(Text(one_line(dataset.name, most=_VARIANT), style="bold underline"))
        for row in dataset.rows:
            cost = [Text(usd_text(row.usage.cost_usd))] if summary.has_costs else []
            table.add_row(*_cells(row, metrics), *cost)
        table.add_section()
    return table


def _fitting(summary: Summary) -> tuple[tuple[str, ...], int]:
    """The metrics that fit beside the other columns, main ones first, and how many do not."""
    main = main_metrics(summary, most=len(summary.metrics))
    names = (*main, *(name for name in summary.metrics if name not in main))
    label = max([cell_len(row.label) for row in summary.rows] + [cell_len("Variant")])
    room = _WIDTH - 2 - min(label, _VARIANT) - (_FAILED + _P50 + 6) - (_COST + 3 if summary.has_costs else 0)
    shown: list[str] = []
    for name in names:
        longest = max(cell_len(part) for part in str(_header(name)).split("\n"))
        room -= min(max(longest, 9), _METRIC) + 3
        if room < 0:
            break
        shown.append(name)
    return tuple(shown), len(names) - len(shown)


def _header(metric: str) -> Text:
    evaluator, _, name = metric.rpartition(".")
    return Text("\n".join(one_line(part, most=_METRIC) for part in (evaluator, name) if part))


def _cells(row: VariantRow, metrics: tuple[str, ...]) -> list[Text]:
    values = [_value(row, name, metric_text(row.metrics.get(name))) for name in metrics]
    failed = Text(f"{row.lines.failed:,}", style="red" if row.lines.failed else "")
    latency = _value(row, LATENCY_P50, ms_text(row.latency.p50_ms if row.latency else None))
    return [Text(one_line(row.label, most=3 * _VARIANT)), *values, failed, latency]


def _value(row: VariantRow, name: str, text: str) -> Text:
    return Text(f"★ {text}", style="bold") if name in row.best else Text(text)


def _caption(summary: Summary, left_out: int) -> Any:
    notes = []
    if left_out:
        notes.append(Text(f"{plural(left_out, 'more metric')} in report.html and metrics.csv.", style="dim"))
    if summary.cost_note:
        notes.append(Text(summary.cost_note, style="dim"))
    if summary.simulated_note:
        notes.append(Text("Simulated model: these numbers say nothing about quality.", style="yellow"))
    return Text("\n").join(notes) if notes else None
