"""The report as one page that needs nothing else: no network, no other file.

Everything that came from data or a model is text: Jinja escapes it, the lines travel as compressed base64 that the
page's script puts into text nodes only, and the page's Content-Security-Policy allows its own style sheet and script,
by hash, and no request.
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
from flowyard.records import Comparison
from flowyard.reports.charts import latency_charts, metric_charts
from flowyard.reports.headline import cautions, findings, headlines
from flowyard.reports.heat_map import heat_maps
from flowyard.reports.leaderboard import change_text, range_text, rankings, tested_text, winner_text
from flowyard.reports.panels import MOST_OPEN_LINES, read_panel
from flowyard.reports.scatter import trade_offs
from flowyard.reports.table import Summary
from flowyard.reports.values import metric_text, ms_text, plural, seconds_text, value_text
from flowyard.reports.verdict import VERDICT_SIGNS, ruling
from flowyard.runs.cost_text import usd_text

__all__ = ["HtmlReport", "render_page"]

_SIZE = '<span id="size"></span>'
"""Where the size of the page goes; no text of others can say this, because it is escaped."""


@dataclass(frozen=True, slots=True)
class HtmlReport(ReportFormat):
    """``report.html``: the verdict, every number with its interval, charts, failures and every line."""

    summary: Summary

    def write(self, comparison: Comparison, evidence: Evidence | None, folder: Path) -> Sequence[Path]:
        path = folder / "report.html"
        write_atomic(path, render_page(comparison, self.summary, evidence))
        return [path]


def render_page(comparison: Comparison, summary: Summary, evidence: Evidence | None = None) -> str:
    """The page's whole text. Without evidence nothing was tested, and the page says so."""
    environment = _environment()
    style = _asset(environment, "report.css") + _asset(environment, "lines.css")
    script = "".join(_asset(environment, f"{name}.js") for name in ("unpack", "list", "detail", "report"))
    script = f'"use strict";\n(() => {{\n{script}}})();\n'
    panels = [read_panel(index, table, summary, evidence) for index, table in enumerate(summary.datasets)]
    boards = rankings(summary, evidence) if evidence else ()
    beside = {sentence for each in boards for sentence in each.agreements}
    page = environment.get_template("report.html.j2").render(
        comparison=comparison,
        summary=summary,
        evidence=evidence,
        ruling=ruling(evidence),
        signs=VERDICT_SIGNS,
        rankings=boards,
        agreements=[each for each in evidence.agreements if each not in beside] if evidence else (),
        findings=findings(summary, evidence) if evidence else (),
        headlines=headlines(summary),
        cautions=cautions(summary, evidence),
        trade_offs=trade_offs(summary, evidence),
        heat_maps=heat_maps(summary, evidence),
        metric_charts=() if evidence else metric_charts(summary),
        latency_charts=latency_charts(summary),
        panels=panels,
        most_open=MOST_OPEN_LINES,
        failures=[(panel.index, item) for panel in panels for item in panel.failures],
        style=style,
        script=script,
        policy=_policy(style, script),
        version=__version__,
    )
    page = page.encode("utf-8", "backslashreplace").decode("utf-8")
    return page.replace(_SIZE, _size_text(len(page.encode())))


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
        "winner": winner_text,
        "change": change_text,
        "range": range_text,
        "tested": tested_text,
    }
    environment.globals |= {"plural": plural, "moment": _moment}
    return environment


def _asset(environment: Environment, name: str) -> str:
    assert environment.loader is not None
    return environment.loader.get_source(environment, name)[0]


def _policy(style: str, script: str) -> str:
    """Only this page's own style sheet and script, no request of any kind, and no text that is turned into markup."""
    allowed = f"style-src '{_hash(style)}'; script-src '{_hash(script)}'"
    sealed = "require-trusted-types-for 'script'; trusted-types 'none'"
    return f"default-src 'none'; {allowed}; base-uri 'none'; form-action 'none'; {sealed}"


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _breakable(text: str) -> Markup:
    """Text that may wrap after ``=``, ``_`` and the like, so that names break where a reader would break them."""
    return Markup("<wbr>").join(re.split(r"(?<=[=_./:-])(?=\w)", text))


def _moment(timestamp: str) -> str:
    """``2025-03-01T10:20:30.5+00:00`` as ``2025-03-01 10:20 UTC``."""
    return f"{timestamp[:10]} {timestamp[11:16]} UTC" if timestamp[10:11] == "T" else timestamp


def _size_text(count: int) -> str:
    return f"{count / 1e6:.1f} MB" if count >= 100_000 else f"{count / 1e3:.0f} kB"
