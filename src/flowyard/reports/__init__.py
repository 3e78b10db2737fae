"""What an experiment found: a page for people, tables for tools, a few lines for the terminal."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from flowyard.abc import ReportFormat
from flowyard.records import ExperimentRecord
from flowyard.reports.csv_files import DetailsCsv, MetricsCsv
from flowyard.reports.html import HtmlReport
from flowyard.reports.table import DatasetTable, Latency, Summary, VariantRow, summarize
from flowyard.reports.terminal import comparison_table

__all__ = [
    "FORMATS",
    "DatasetTable",
    "Latency",
    "Summary",
    "VariantRow",
    "comparison_table",
    "summarize",
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
    summary = summarize(experiment)
    return [path for make in FORMATS.values() for path in make(summary).write(experiment, folder)]
