"""What an experiment, or chosen runs, came to: a page for people, tables for tools, a few lines for the terminal."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from flowyard._util.files import write_atomic
from flowyard.abc import ReportFormat
from flowyard.records import Comparison, ExperimentRecord
from flowyard.reports.comparison import compare_runs, compare_variants, comparison_page
from flowyard.reports.csv_files import DetailsCsv, MetricsCsv
from flowyard.reports.html import HtmlReport, render_page
from flowyard.reports.table import DatasetTable, Latency, Summary, VariantRow, summarize
from flowyard.reports.terminal import comparison_table

__all__ = [
    "FORMATS",
    "DatasetTable",
    "Latency",
    "Summary",
    "VariantRow",
    "compare_runs",
    "compare_variants",
    "comparison_page",
    "comparison_table",
    "summarize",
    "write_page",
    "write_reports",
]

FORMATS: Mapping[str, Callable[[Summary], ReportFormat]] = {
    "html": HtmlReport,
    "details": DetailsCsv,
    "metrics": MetricsCsv,
}
"""Every format by name, the most important first. Add a line to add a format."""


def write_reports(experiment: ExperimentRecord, folder: Path) -> list[Path]:
    """Write every format into ``folder``, made when missing: ``report.html``, ``details.csv``, ``metrics.csv``."""
    folder.mkdir(parents=True, exist_ok=True)
    comparison = compare_variants(experiment)
    summary = summarize(comparison)
    return [path for make in FORMATS.values() for path in make(summary).write(comparison, folder)]


def write_page(comparison: Comparison, path: Path) -> Path:
    """Write the page alone, as one file that needs no other. Its folder must exist."""
    write_atomic(path, render_page(comparison, summarize(comparison)))
    return path
