"""The comparison in a terminal: one row for each version, the best first, fit for 80 columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich import box
from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

from flowyard.decisions.model import Evidence
from flowyard.reports.leaderboard import Leaderboard, Score, Standing, leaderboards, range_text
from flowyard.reports.table import LATENCY_P50, Summary
from flowyard.reports.values import metric_text, ms_text, one_line, plural, signed_text
from flowyard.runs.cost_text import usd_text

__all__ = ["comparison_table"]

_WIDTH = 80
_VARIANT = 32
_METRIC = 16
_FAILED, _P50, _COST = 6, 9, 9
_EXTRAS = {"change": 10, "interval": 14, "cost": _COST}
"""What stands beside the first metric and at the end where there is room, the most useful first."""
_MOST_VERSIONS = 40
_SIGNS = {"better": ("▲", "green"), "worse": ("▼", "red"), "unclear": ("≈", "dim")}


def comparison_table(summary: Summary, evidence: Evidence | None = None) -> Table:
    """Versions as rows, the metrics that fit as columns; the best of each dataset is bold and has a star.

    With evidence the first metric has its interval beside it, and the difference to the baseline: ``▲`` better, ``▼``
    worse, ``≈`` undecided. Other metrics have the sign alone.
    """
    boards = leaderboards(summary, evidence)
    names = tuple(dict.fromkeys(name for board in boards for name in board.metrics))
    metrics, extras = _fitting(names, _extras(boards, summary), summary)
    hidden = sum(max(0, len(board.standings) - _MOST_VERSIONS) for board in boards)
    baseline = evidence.baseline if evidence else None
    caption = _caption(summary, _has_differences(boards), baseline, len(names) - len(metrics), hidden)
    table = Table(box=box.SIMPLE_HEAD, caption=caption, caption_justify="left", expand=False)
    _add_columns(table, metrics, extras)
    for board in boards:
        if len(boards) > 1:
            table.add_row(Text(one_line(board.dataset, most=_VARIANT), style="bold underline"))
        for standing in board.standings[:_MOST_VERSIONS]:
            table.add_row(*_cells(standing, metrics, extras))
        table.add_section()
    return table


def _has_differences(boards: Sequence[Leaderboard]) -> bool:
    return any(score.difference for board in boards for each in board.standings for score in each.scores.values())


def _extras(boards: Sequence[Leaderboard], summary: Summary) -> tuple[str, ...]:
    """Which of the extra columns have anything in them."""
    firsts = [each.scores[board.metrics[0]] for board in boards if board.metrics for each in board.standings]
    has = {
        "change": any(score.difference for score in firsts),
        "interval": any(score.interval for score in firsts),
        "cost": summary.has_costs,
    }
    return tuple(name for name in _EXTRAS if has[name])


def _fitting(names: Sequence[str], extras: Sequence[str], summary: Summary) -> tuple[list[str], list[str]]:
    """The metrics and the extra columns that fit beside the others: the first metric, the extras, more metrics."""
    label = max([cell_len(row.label) for row in summary.rows] + [cell_len("Variant")])
    room = _WIDTH - 2 - min(label, _VARIANT) - (_FAILED + _P50 + 6)
    wanted = [(name, _metric_width(name)) for name in names[:1]]
    wanted += [(name, _EXTRAS[name]) for name in extras]
    wanted += [(name, _metric_width(name)) for name in names[1:]]
    shown: list[str] = []
    for place, (name, width) in enumerate(wanted):
        is_metric = place == 0 or place > len(extras)
        if room >= width + 3 or (place == 0 and names):
            room -= width + 3
            shown.append(name)
        elif is_metric:
            break
    return [name for name in names if name in shown], [name for name in extras if name in shown]


def _metric_width(name: str) -> int:
    longest = max(cell_len(part) for part in str(_header(name)).split("\n"))
    return min(max(longest, 9), _METRIC)


def _add_columns(table: Table, metrics: Sequence[str], extras: Sequence[str]) -> None:
    table.add_column("Variant", overflow="fold", max_width=_VARIANT)
    for place, metric in enumerate(metrics):
        table.add_column(_header(metric), justify="right", overflow="fold", max_width=_METRIC)
        for name in extras if place == 0 else ():
            if name != "cost":
                table.add_column(name, justify="right", no_wrap=True)
    for name in ("Failed", "p50", *(["Cost"] if "cost" in extras else [])):
        table.add_column(name, justify="right", no_wrap=True)


def _header(metric: str) -> Text:
    evaluator, _, name = metric.rpartition(".")
    return Text("\n".join(one_line(part, most=_METRIC) for part in (evaluator, name) if part))


def _cells(standing: Standing, metrics: Sequence[str], extras: Sequence[str]) -> list[Text]:
    row = standing.row
    values: list[Text] = []
    for place, name in enumerate(metrics):
        score = standing.scores.get(name, Score(None))
        values.append(_value(score, sign=place > 0 or "change" not in extras))
        if place == 0:
            beside = {"change": _change(score, is_baseline=standing.is_baseline), "interval": _interval(score)}
            values += [beside[each] for each in extras if each in beside]
    failed = Text(f"{row.lines.failed:,}", style="red" if row.lines.failed else "")
    latency = Text(ms_text(row.latency.p50_ms if row.latency else None))
    if LATENCY_P50 in row.best:
        latency = Text(f"★ {latency}", style="bold")
    cost = [Text(usd_text(row.usage.cost_usd))] if "cost" in extras else []
    return [_label(row.label), *values, failed, latency, *cost]


def _label(label: str) -> Text:
    """The name, whole where it can be; of a very long one the end stays, where such names mostly differ."""
    most = 3 * _VARIANT
    label = one_line(label, most=10_000)
    return Text(label if len(label) <= most else f"{label[: most // 2]}…{label[-(most // 2 - 1) :]}")


def _value(score: Score, *, sign: bool) -> Text:
    text = metric_text(score.value)
    value = Text(f"★ {text}", style="bold") if score.best else Text(text)
    if sign and score.difference is not None:
        mark, style = _SIGNS[score.difference.winner]
        value = Text(f"{mark} ", style=style) + value
    return value


def _interval(score: Score) -> Text:
    return Text(range_text(score.interval), style="dim")


def _change(score: Score, *, is_baseline: bool) -> Text:
    if score.difference is None:
        return Text("baseline" if is_baseline else "", style="dim")
    mark, style = _SIGNS[score.difference.winner]
    return Text(f"{mark} {signed_text(score.difference.value)}", style=style)


def _caption(summary: Summary, tested: bool, baseline: str | None, left_out: int, hidden: int) -> Any:
    notes = []
    if tested:
        against = one_line(baseline or "the baseline", most=60)
        notes.append(Text(f"▲ better, ▼ worse, ≈ undecided against {against}.", style="dim"))
    if hidden:
        notes.append(Text(f"{plural(hidden, 'more version')} in report.html and metrics.csv.", style="dim"))
    if left_out:
        notes.append(Text(f"{plural(left_out, 'more metric')} in report.html and metrics.csv.", style="dim"))
    if summary.cost_note:
        notes.append(Text(summary.cost_note, style="dim"))
    if summary.simulated_note:
        notes.append(Text("Simulated model: these numbers say nothing about quality.", style="yellow"))
    return Text("\n").join(notes) if notes else None
