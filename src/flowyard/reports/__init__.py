"""What an experiment, or chosen runs, came to: a page for people, tables for tools, a few lines for the terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from flowyard._util.beside import beside
from flowyard._util.files import write_atomic
from flowyard._util.lock import locked
from flowyard.abc import ReportFormat, Store
from flowyard.decisions.model import Evidence
from flowyard.decisions.policy import DecisionPolicy
from flowyard.experiments.policy import decide
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
    "Decided",
    "Latency",
    "Summary",
    "VariantRow",
    "compare_runs",
    "compare_variants",
    "comparison_page",
    "comparison_table",
    "decide_and_report",
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


_LOCK = "reports.lock"
_MUCH = 1000
"""Lines from which on reports are written beside each other."""


class Decided(NamedTuple):
    """What was decided of an execution, and its reports."""

    record: ExperimentRecord
    comparison: Comparison
    evidence: Evidence
    files: dict[str, list[Path]]


def write_reports(
    experiment: ExperimentRecord, evidence: Evidence | None, folder: Path, formats: Iterable[str] = tuple(FORMATS)
) -> dict[str, list[Path]]:
    """Write the formats of these names into ``folder``, made when missing; returns the files of each, main ones first.

    In the experiment's own folder its outcome is written, too, and the index page over all experiments anew; of several
    processes one writes there at a time.
    """
    if folder != experiment.path:
        return _written(experiment, evidence, folder, formats)
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder / _LOCK):
        return _written(experiment, evidence, folder, formats)


def decide_and_report(record: ExperimentRecord, policy: DecisionPolicy, store: Store) -> Decided:
    """Decide, store the record with the verdict, and write every report of it, as the only process that does.

    Raises as ``decide`` does.
    """
    with locked(record.path / _LOCK):
        record, comparison, evidence = decide(record, policy, store)
        return Decided(record, comparison, evidence, _written(record, evidence, record.path, tuple(FORMATS)))


def _written(
    experiment: ExperimentRecord, evidence: Evidence | None, folder: Path, formats: Iterable[str]
) -> dict[str, list[Path]]:
    comparison = compare_variants(experiment)
    summary = summarize(comparison)
    files = _files(comparison, summary, evidence, folder, formats)
    if folder == experiment.path:
        write_outcome(experiment_outcome(experiment, summary, evidence), folder)
        write_index(folder.parent.parent)
    return files


def write_formats(
    comparison: Comparison, evidence: Evidence | None, folder: Path, formats: Iterable[str]
) -> dict[str, list[Path]]:
    """Write the formats of these names for any comparison into ``folder``, made when missing."""
    return _files(comparison, summarize(comparison), evidence, folder, formats)


def _files(
    comparison: Comparison, summary: Summary, evidence: Evidence | None, folder: Path, formats: Iterable[str]
) -> dict[str, list[Path]]:
    """The page takes as long as all others together."""
    folder.mkdir(parents=True, exist_ok=True)

    def write(names: Iterable[str]) -> dict[str, list[Path]]:
        return {name: list(FORMATS[name](summary).write(comparison, evidence, folder)) for name in names}

    wanted = list(formats)
    others = [name for name in wanted if name != "html"]
    if not others or others == wanted or not _is_much(comparison):
        return write(wanted)
    page, rest = beside(lambda: write(["html"]), lambda: write(others))
    return {name: (page | rest)[name] for name in wanted}


def _is_much(comparison: Comparison) -> bool:
    """Whether another process is worth its start."""
    return sum(run.lines.total for run in comparison.runs) >= _MUCH


def report_paths(files: Mapping[str, Sequence[Path]]) -> dict[str, str | list[str]]:
    """The files as machines get them: the path of each format, and for ``csv`` the list of its paths."""
    return {name: [str(path) for path in paths] if name == "csv" else str(paths[0]) for name, paths in files.items()}


def write_page(comparison: Comparison, evidence: Evidence | None, path: Path) -> Path:
    """Write the page alone, as one file that needs no other. Its folder must exist."""
    write_atomic(path, render_page(comparison, summarize(comparison), evidence))
    return path
