"""What an experiment, or chosen runs, came to: a page for people, tables for tools, a few lines for the terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from flowyard._util.files import write_atomic
from flowyard.abc import ReportFormat
from flowyard.decisions.model import Evidence
from flowyard.records import Comparison, ExperimentRecord
from flowyard.reports.comparison import compare_runs, compare_variants, comparison_page, evidence_of_runs
from flowyard.reports.csv_files import CsvFiles
from flowyard.reports.html import HtmlReport, render_page
from flowyard.reports.index import write_index
from flowyard.reports.json_file import JsonReport
from flowyard.reports.junit import JunitReport
from flowyard.reports.markdown import MarkdownReport
from flowyard.reports.outcomes import experiment_outcome, write_outcome
from flowyard.reports.table import DatasetTable, Latency, Summary, VariantRow, summarize
from flowyard.reports.terminal import comparison_table

__all__ = [
    "FORMATS",
    "MAIN_FILES",
    "DatasetTable",
    "Latency",
    "Summary",
    "VariantRow",
    "compare_runs",
    "compare_variants",
    "comparison_page",
    "comparison_table",
    "evidence_of_runs",
    "report_paths",
    "summarize",
    "write_formats",
    "write_page",
    "write_reports",
]

FORMATS: Mapping[str, Callable[[Summary], ReportFormat]] = {
    "html": HtmlReport,
    "junit": JunitReport,
    "markdown": MarkdownReport,
    "json": JsonReport,
    "csv": CsvFiles,
}
"""Every format by name, the most important first. Add a line to add a format, and one below."""

MAIN_FILES: Mapping[str, str] = {
    "html": "report.html",
    "junit": "report.junit.xml",
    "markdown": "report.md",
    "json": "report.json",
    "csv": "details.csv",
}
"""The first file of each format."""


def write_reports(
    experiment: ExperimentRecord, evidence: Evidence | None, folder: Path, formats: Iterable[str] = tuple(FORMATS)
) -> dict[str, list[Path]]:
    """Write the formats of these names into ``folder``, made when missing; returns the files of each, main ones first.

    In the experiment's own folder its outcome is written, too, and the index page over all experiments anew.
    """
    comparison = compare_variants(experiment)
    summary = summarize(comparison)
    files = _written(comparison, summary, evidence, folder, formats)
    if folder == experiment.path:
        write_outcome(experiment_outcome(experiment, summary, evidence), folder)
        write_index(folder.parent.parent)
    return files


def write_formats(
    comparison: Comparison, evidence: Evidence | None, folder: Path, formats: Iterable[str]
) -> dict[str, list[Path]]:
    """Write the formats of these names for any comparison into ``folder``, made when missing."""
    return _written(comparison, summarize(comparison), evidence, folder, formats)


def _written(
    comparison: Comparison, summary: Summary, evidence: Evidence | None, folder: Path, formats: Iterable[str]
) -> dict[str, list[Path]]:
    folder.mkdir(parents=True, exist_ok=True)
    return {name: list(FORMATS[name](summary).write(comparison, evidence, folder)) for name in formats}


def report_paths(files: Mapping[str, Sequence[Path]]) -> dict[str, str | list[str]]:
    """The files as machines get them: the path of each format, and for ``csv`` the list of its paths."""
    return {name: [str(path) for path in paths] if name == "csv" else str(paths[0]) for name, paths in files.items()}


def write_page(comparison: Comparison, evidence: Evidence | None, path: Path) -> Path:
    """Write the page alone, as one file that needs no other. Its folder must exist."""
    write_atomic(path, render_page(comparison, summarize(comparison), evidence))
    return path
