"""How each version did on each part of the data: versions down, values of a column across."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from flowyard.decisions.model import Estimate, Evidence, Metric
from flowyard.reports.leaderboard import metrics_in_order
from flowyard.reports.line_scores import of_version
from flowyard.reports.table import DatasetTable, Summary, VariantRow

__all__ = ["HeatMap", "heat_maps"]

STEPS = 7
_MOST_VALUES = 16


@dataclass(frozen=True, slots=True)
class HeatMap:
    """``cells[i][j]`` is what version ``i`` reached on the lines with ``values[j]`` in ``column``, with its shade.

    A shade is 0 to 6, more for better, the same for the same value in all maps of a metric. ``left_out`` values of the
    column have the fewest lines and are not here.
    """

    metric: Metric
    dataset: str
    column: str
    values: tuple[str, ...]
    rows: tuple[VariantRow, ...]
    cells: tuple[tuple[tuple[Estimate, int] | None, ...], ...]
    left_out: int


def heat_maps(summary: Summary, evidence: Evidence | None) -> tuple[HeatMap, ...]:
    """One for each metric, dataset and column that has slices of one column each."""
    if evidence is None:
        return ()
    found = []
    for metric in metrics_in_order(evidence):
        estimates = [each for each in evidence.slices if each.metric.name == metric.name and len(each.slice) == 1]
        for table in summary.datasets:
            here = [each for each in estimates if each.dataset == table.name]
            for column in dict.fromkeys(name for each in here for name in each.slice):
                found.append(_map(table, metric, column, [each for each in here if column in each.slice]))
    return tuple(heat_map for heat_map in found if heat_map.values)


def _map(table: DatasetTable, metric: Metric, column: str, estimates: Sequence[Estimate]) -> HeatMap:
    by_version: dict[str, dict[str, Estimate]] = {}
    lines: dict[str, int] = {}
    for each in estimates:
        value = str(each.slice[column])
        by_version.setdefault(each.version, {})[value] = each
        lines[value] = max(lines.get(value, 0), each.lines)
    order = sorted(lines, key=lambda value: -lines[value])
    values = order[:_MOST_VALUES]
    shown = [each.value for each in estimates]
    low = metric.low if metric.low is not None else min(shown)
    high = metric.high if metric.high is not None else max(shown)
    cells = tuple(
        tuple(_cell(of_version(row, by_version) or {}, value, (low, high), metric) for value in values)
        for row in table.rows
    )
    return HeatMap(metric, table.name, column, tuple(values), table.rows, cells, len(order) - len(values))


def _cell(
    found: Mapping[str, Estimate], value: str, ends: tuple[float, float], metric: Metric
) -> tuple[Estimate, int] | None:
    estimate = found.get(value)
    if estimate is None:
        return None
    low, high = ends
    share = (estimate.value - low) / (high - low) if high > low else 0.5
    share = share if metric.higher_is_better else 1 - share
    if math.isnan(share):
        return estimate, 0
    return estimate, min(STEPS - 1, max(0, int(share * STEPS)))
