"""The report as one page that needs nothing else: no network, no other file.

Everything that came from data or a model is text: Jinja escapes it, no data is embedded as script, and the page's
Content-Security-Policy allows only its own style sheet and script, by hash.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from flowyard import __version__
from flowyard._util.files import write_atomic
from flowyard.abc import ReportFormat
from flowyard.decisions.model import Evidence
from flowyard.records import Comparison, ErrorRecord, LineResult
from flowyard.reports.cells import Field, fields_side_by_side, shared_inputs
from flowyard.reports.charts import latency_charts, metric_charts
from flowyard.reports.headline import cautions, headlines
from flowyard.reports.lines import LineChoice, LineRow, choose_lines
from flowyard.reports.table import DatasetTable, Summary, VariantRow
from flowyard.reports.values import metric_text, ms_text, plural, seconds_text, value_text
from flowyard.runs.cost_text import usd_text

__all__ = ["MOST_LINES", "HtmlReport", "render_page"]

MOST_LINES = 500
"""How many lines of each dataset the page shows; details.csv has every line."""


@dataclass(frozen=True, slots=True)
class _Evaluation:
    """What one evaluator said of one variant's line."""

    evaluator: str
    fields: tuple[Field, ...]
    error: ErrorRecord | None


@dataclass(frozen=True, slots=True)
class _Cell:
    """One variant's part of a line. ``inputs`` is empty when all variants share theirs."""

    row: VariantRow
    line: LineResult | None
    inputs: tuple[Field, ...]
    outputs: tuple[Field, ...]
    evaluations: tuple[_Evaluation, ...]


@dataclass(frozen=True, slots=True)
class _Line:
    """One line as the template draws it."""

    row: LineRow
    inputs: tuple[Field, ...]
    cells: tuple[_Cell, ...]


@dataclass(frozen=True, slots=True)
class _Panel:
    """One dataset's lines; ``index`` names it in links, because its name may be any text."""

    index: int
    table: DatasetTable
    choice: LineChoice
    lines: tuple[_Line, ...]


@dataclass(frozen=True, slots=True)
class HtmlReport(ReportFormat):
    """``report.html``: the headline, every number, charts, failures and the lines side by side."""

    summary: Summary

    def write(self, comparison: Comparison, evidence: Evidence | None, folder: Path) -> Sequence[Path]:  # noqa: ARG002
        path = folder / "report.html"
        write_atomic(path, render_page(comparison, self.summary))
        return [path]


def render_page(comparison: Comparison, summary: Summary) -> str:
    """The page's whole text."""
    environment = _environment()
    style, script = _asset(environment, "report.css"), _asset(environment, "report.js")
    panels = [_panel(index, table) for index, table in enumerate(summary.datasets)]
    page = environment.get_template("report.html.j2").render(
        comparison=comparison,
        summary=summary,
        headlines=headlines(summary),
        cautions=cautions(summary),
        metric_charts=metric_charts(summary),
        latency_charts=latency_charts(summary),
        panels=panels,
        failures=[(panel.index, item) for panel in panels for item in panel.choice.failures],
        style=style,
        script=script,
        policy=_policy(style, script),
        version=__version__,
    )
    return page.encode("utf-8", "backslashreplace").decode("utf-8")


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("flowyard.reports"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "metric": metric_text,
        "ms": ms_text,
        "seconds": seconds_text,
        "usd": usd_text,
        "value": value_text,
        "breakable": _breakable,
    }
    environment.globals |= {"plural": plural, "moment": _moment}
    return environment


def _asset(environment: Environment, name: str) -> str:
    assert environment.loader is not None
    return environment.loader.get_source(environment, name)[0]


def _policy(style: str, script: str) -> str:
    """Only this page's own style sheet and script, and no request of any kind."""
    allowed = f"style-src '{_hash(style)}'; script-src '{_hash(script)}'"
    return f"default-src 'none'; {allowed}; base-uri 'none'; form-action 'none'"


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _breakable(text: str) -> Markup:
    """Text that may wrap after ``=``, ``_`` and the like, so that names break where a reader would break them."""
    return Markup("<wbr>").join(re.split(r"(?<=[=_./:-])(?=\w)", text))


def _moment(timestamp: str) -> str:
    """``2025-03-01T10:20:30.5+00:00`` as ``2025-03-01 10:20 UTC``."""
    return f"{timestamp[:10]} {timestamp[11:16]} UTC" if timestamp[10:11] == "T" else timestamp


def _panel(index: int, table: DatasetTable) -> _Panel:
    choice = choose_lines(table, most=MOST_LINES)
    return _Panel(index, table, choice, tuple(_line(line) for line in choice.lines))


def _line(line: LineRow) -> _Line:
    results = [cell.line for cell in line.cells]
    inputs = shared_inputs(line)
    own_inputs = [()] * len(results) if inputs is not None else fields_side_by_side(results, "inputs")
    outputs = fields_side_by_side(results)
    scores = _evaluations(line)
    cells = (
        _Cell(cell.row, cell.line, own_inputs[place], outputs[place], scores[place])
        for place, cell in enumerate(line.cells)
    )
    return _Line(line, inputs or (), tuple(cells))


def _evaluations(line: LineRow) -> list[tuple[_Evaluation, ...]]:
    """For each variant, what each evaluator said, compared between the variants."""
    names = dict.fromkeys(name for cell in line.cells for name in cell.evaluations)
    found: list[list[_Evaluation]] = [[] for _ in line.cells]
    for name in names:
        results = [cell.evaluations.get(name) for cell in line.cells]
        for place, (result, fields) in enumerate(zip(results, fields_side_by_side(results), strict=True)):
            if result is not None:
                found[place].append(_Evaluation(name, fields, result.error))
    return [tuple(evaluations) for evaluations in found]
