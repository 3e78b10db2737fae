"""The comparison in a terminal: one row for each version, the best first, fit for 80 columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich import box
from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

from flowyard.decisions.model import Evidence
from flowyard.reports.leaderboard import Leaderboard, Score, Standing, leaderboards
from flowyard.reports.table import LATENCY_P50, Summary
from flowyard.reports.values import is_ranked, metric_text, ms_text, one_line, plural
from flowyard.runs.cost_text import usd_text

__all__ = ["comparison_table"]

_WIDTH = 80
_VARIANT = 32
_METRIC = 16
_FAILED, _P50, _COST = 6, 9, 9
_RANGE, _CHANGE = 13, 10
_MOST_VERSIONS = 40
_SIGNS = {"better": ("▲", "green"), "worse": ("▼", "red"), "unclear": ("≈", "dim")}


def comparison_table(summary: Summary, evidence: Evidence | None = None) -> Table:
    """Versions as rows, the metrics that fit as columns; the best of each dataset is bold and has a star.

    With evidence the first metric has its interval beside it, and the difference to the baseline: ``▲`` better, ``▼``
    worse, ``≈`` undecided. Other metrics have the sign alone.
    """
    boards = leaderboards(summary, evidence)
    beside = _beside(boards)
    metrics, left_out = _fitting(summary, boards, beside)
    hidden = sum(max(0, len(board.standings) - _MOST_VERSIONS) for board in boards)
    caption = _caption(summary, evidence, beside, left_out, hidden)
    table = Table(box=box.SIMPLE_HEAD, caption=caption, caption_justify="left", expand=False)
    _add_columns(table, summary, metrics, beside)
    for board in boards:
        if len(boards) > 1:
            table.add_row(Text(one_line(board.dataset, most=_VARIANT), style="bold underline"))
        for standing in board.standings[:_MOST_VERSIONS]:
            cost = [Text(usd_text(standing.row.usage.cost_usd))] if summary.has_costs else []
            table.add_row(*_cells(standing, metrics, beside), *cost)
        table.add_section()
    return table


def _beside(boards: Sequence[Leaderboard]) -> tuple[str, ...]:
    """What stands beside the first metric: ``interval``, ``change``."""
    firsts = [each.scores[board.metrics[0]] for board in boards if board.metrics for each in board.standings]
    has = {"interval": any(score.interval for score in firsts), "change": any(score.difference for score in firsts)}
    return tuple(name for name, there in has.items() if there)


def _fitting(summary: Summary, boards: Sequence[Leaderboard], beside: Sequence[str]) -> tuple[tuple[str, ...], int]:
    """The metrics that fit beside the other columns, main ones first, and how many do not."""
    names = tuple(dict.fromkeys(name for board in boards for name in board.metrics))
    label = max([cell_len(row.label) for row in summary.rows] + [cell_len("Variant")])
    room = _WIDTH - 2 - min(label, _VARIANT) - (_FAILED + _P50 + 6) - (_COST + 3 if summary.has_costs else 0)
    room -= sum({"interval": _RANGE, "change": _CHANGE}[name] + 3 for name in beside)
    shown: list[str] = []
    for name in names:
        longest = max(cell_len(part) for part in str(_header(name)).split("\n"))
        room -= min(max(longest, 9), _METRIC) + 3
        if room < 0 and shown:
            break
        shown.append(name)
    return tuple(shown), len(names) - len(shown)


def _add_columns(table: Table, summary: Summary, metrics: Sequence[str], beside: Sequence[str]) -> None:
    table.add_column("Variant", overflow="fold", max_width=_VARIANT)
    for place, metric in enumerate(metrics):
        table.add_column(_header(metric), justify="right", overflow="fold", max_width=_METRIC)
        for name in beside if place == 0 else ():
            header = {"interval": "interval", "change": "change"}[name]
            table.add_column(header, justify="right", no_wrap=True)
    table.add_column("Failed", justify="right", no_wrap=True)
    table.add_column("p50", justify="right", no_wrap=True)
    if summary.has_costs:
        table.add_column("Cost", justify="right", no_wrap=True)


def _header(metric: str) -> Text:
    evaluator, _, name = metric.rpartition(".")
    return Text("\n".join(one_line(part, most=_METRIC) for part in (evaluator, name) if part))


def _cells(standing: Standing, metrics: Sequence[str], beside: Sequence[str]) -> list[Text]:
    row = standing.row
    values: list[Text] = []
    for place, name in enumerate(metrics):
        score = standing.scores.get(name, Score(None))
        values.append(_value(score, metric_text(score.value), sign=place > 0 or "change" not in beside))
        values += [_beside_cell(score, each) for each in beside] if place == 0 else []
    failed = Text(f"{row.lines.failed:,}", style="red" if row.lines.failed else "")
    latency = Text(ms_text(row.latency.p50_ms if row.latency else None))
    if LATENCY_P50 in row.best:
        latency = Text(f"★ {latency}", style="bold")
    return [_label(standing), *values, failed, latency]


def _label(standing: Standing) -> Text:
    """The name, whole where it can be; of a very long one the end stays, where such names mostly differ."""
    most = 3 * _VARIANT
    label = one_line(standing.row.label, most=10_000)
    if len(label) > most:
        label = f"{label[: most // 2]}…{label[-(most // 2 - 1) :]}"
    return Text(label) + Text(" (baseline)" if standing.is_baseline else "", style="dim")


def _value(score: Score, text: str, *, sign: bool) -> Text:
    value = Text(f"★ {text}", style="bold") if score.best else Text(text)
    if sign and score.difference is not None:
        mark, style = _SIGNS[score.difference.winner]
        value = Text(f"{mark} ", style=style) + value
    return value


def _beside_cell(score: Score, name: str) -> Text:
    if name == "interval":
        interval = score.interval
        return Text(f"{metric_text(interval.low)}–{metric_text(interval.high)}" if interval else "", style="dim")
    if score.difference is None:
        return Text("")
    mark, style = _SIGNS[score.difference.winner]
    value = score.difference.value
    signed = f"+{metric_text(value)}" if is_ranked(value) and value > 0 else metric_text(value)
    return Text(f"{mark} {signed}", style=style)


def _caption(summary: Summary, evidence: Evidence | None, beside: Sequence[str], left_out: int, hidden: int) -> Any:
    notes = []
    if "change" in beside and evidence is not None:
        baseline = one_line(evidence.baseline or "the baseline", most=60)
        notes.append(Text(f"▲ better, ▼ worse, ≈ undecided against {baseline}.", style="dim"))
    if hidden:
        notes.append(Text(f"{plural(hidden, 'more version')} in report.html and metrics.csv.", style="dim"))
    if left_out:
        notes.append(Text(f"{plural(left_out, 'more metric')} in report.html and metrics.csv.", style="dim"))
    if summary.cost_note:
        notes.append(Text(summary.cost_note, style="dim"))
    if summary.simulated_note:
        notes.append(Text("Simulated model: these numbers say nothing about quality.", style="yellow"))
    return Text("\n").join(notes) if notes else None
