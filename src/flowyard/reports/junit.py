"""The report as JUnit XML, which GitHub actions, Azure DevOps and Jenkins show as test results.

Each gate is a test case, and each run is one: it fails when lines failed, and is an error when it did not end.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flowyard._util.ci_commands import without_ci_commands
from flowyard._util.files import dump_json, write_atomic
from flowyard.abc import ReportFormat
from flowyard.decisions.model import Evidence, GateResult
from flowyard.records import Comparison, RunRecord
from flowyard.reports.table import Summary, VariantRow
from flowyard.reports.values import one_line, plural
from flowyard.runs.results import failed_lines

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

__all__ = ["JunitReport", "render_junit", "xml_text"]

_MOST_LINES = 50
_FORBIDDEN = re.compile("[^\t\n\r\x20-\x7e\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True)
class JunitReport(ReportFormat):
    """``report.junit.xml``"""

    summary: Summary

    def write(self, comparison: Comparison, evidence: Evidence | None, folder: Path) -> Sequence[Path]:
        path = folder / "report.junit.xml"
        write_atomic(path, render_junit(comparison, self.summary, evidence))
        return [path]


@dataclass(frozen=True, slots=True)
class _Case:
    """A test case. ``outcome`` is ``failure``, ``error``, ``skipped``, or None when it passed."""

    name: str
    group: str
    time_s: float = 0.0
    outcome: str | None = None
    message: str = ""
    kind: str = ""
    text: str = ""
    output: str = ""


def render_junit(comparison: Comparison, summary: Summary, evidence: Evidence | None) -> bytes:
    """The document, in UTF-8; a suite for the gates, when there are any, and one for each dataset's runs."""
    from xml.etree import ElementTree  # noqa: PLC0415 - only this format needs it

    suites = []
    if evidence is not None and evidence.gates:
        suites.append(("gates", [_gate_case(gate, comparison, evidence) for gate in evidence.gates]))
    for table in summary.datasets:
        cases = [case for row in table.rows for case in _run_cases(row, comparison)]
        suites.append((table.name, cases))
    root = _element("testsuites", name=comparison.title, **_counts([case for _, cases in suites for case in cases]))
    for name, cases in suites:
        root.append(_suite(name, cases, comparison, evidence))
    ElementTree.indent(root)
    document: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return document + b"\n"


def xml_text(text: str) -> str:
    """Text that XML can hold; other characters, among them those that steer terminals, become U+FFFD.

    What shows such a file writes it into the log of a CI job, too: no line of it is a command there.
    """
    return without_ci_commands(_FORBIDDEN.sub("�", text.replace("\r\n", "\n").replace("\r", "\n")))


def _element(tag: str, **attributes: Any) -> Element:
    from xml.etree import ElementTree  # noqa: PLC0415 - only this format needs it

    return ElementTree.Element(tag, {name: xml_text(str(value)) for name, value in attributes.items()})


def _counts(cases: Sequence[_Case]) -> dict[str, Any]:
    count: Callable[[str], int] = lambda outcome: sum(case.outcome == outcome for case in cases)  # noqa: E731
    return {
        "tests": len(cases),
        "failures": count("failure"),
        "errors": count("error"),
        "skipped": count("skipped"),
        "time": _seconds(sum(case.time_s for case in cases)),
    }


def _suite(name: str, cases: Sequence[_Case], comparison: Comparison, evidence: Evidence | None) -> Element:
    title = f"{comparison.title}: {name}"
    suite = _element("testsuite", name=title, timestamp=comparison.created_at[:19], hostname="", **_counts(cases))
    properties = _element("properties")
    known = {"experiment": comparison.title, "key": comparison.key, "env": comparison.env}
    known |= {"verdict": evidence.verdict, "baseline": evidence.baseline} if evidence else {}
    for each, value in known.items():
        if value:
            properties.append(_element("property", name=each, value=value))
    suite.append(properties)
    for case in cases:
        suite.append(_case(case))
    return suite


def _case(case: _Case) -> Element:
    element = _element("testcase", name=case.name, classname=case.group, time=_seconds(case.time_s))
    if case.outcome is not None:
        kind = {} if case.outcome == "skipped" else {"type": case.kind}
        outcome = _element(case.outcome, message=case.message, **kind)
        outcome.text = xml_text(case.text)
        element.append(outcome)
    if case.output:
        output = _element("system-out")
        output.text = xml_text(case.output)
        element.append(output)
    return element


def _seconds(value: float) -> str:
    return f"{value:.3f}"


def _gate_case(gate: GateResult, comparison: Comparison, evidence: Evidence) -> _Case:
    """A gate; an undecided one is a failure, or skipped where the experiment lets it pass."""
    undecided = "failure" if evidence.inconclusive == "fail" else "skipped"
    outcome = {"pass": None, "fail": "failure", "inconclusive": undecided}[gate.verdict]
    where = [f"{column}={value}" for column, value in gate.slice.items()]
    name = " · ".join([gate.gate, *(each for each in (gate.version, gate.dataset) if each), *where])
    group = _group(comparison, "gates")
    text = "\n".join(each for each in (gate.reason, gate.where) if each)
    output = "" if outcome else gate.reason
    return _Case(name, group, 0.0, outcome, gate.reason, f"gate.{gate.verdict}", text, output)


def _run_cases(row: VariantRow, comparison: Comparison) -> Iterator[_Case]:
    group = _group(comparison, row.dataset)
    yield _run_case(row.label, group, row.run, row.metrics)
    for use in row.evaluations:
        yield _run_case(f"{row.label} · {use.evaluator}", group, use.run, use.run.metrics)


def _run_case(title: str, group: str, run: RunRecord, metrics: Mapping[str, Any]) -> _Case:
    output = "\n".join([f"run: {run.name}", *(f"{name}: {dump_json(value)}" for name, value in metrics.items())])
    if run.status != "completed" or run.errors:
        message = f"The run is {run.status}." if run.status != "completed" else _errors(run)[0]
        text = "\n".join([*_errors(run), *_lines(run)])
        return _Case(title, group, run.duration_s, "error", message, "run", text, output)
    if run.lines.failed:
        message = f"{plural(run.lines.failed, 'line')} of {run.lines.total:,} failed."
        return _Case(title, group, run.duration_s, "failure", message, "failed_lines", "\n".join(_lines(run)), output)
    return _Case(title, group, run.duration_s, output=output)


def _group(comparison: Comparison, name: str) -> str:
    """Jenkins and Azure DevOps make a tree of what dots part, so that dots in names are not kept."""
    return ".".join(one_line(part, most=120).replace(".", "_") for part in (comparison.title, name))


def _errors(run: RunRecord) -> list[str]:
    return [f"{error.type}: {error.message}" for error in run.errors]


def _lines(run: RunRecord) -> Iterable[str]:
    """The first failed lines, each in a line of text."""
    found = []
    for line in islice(failed_lines(run), _MOST_LINES):
        why = f"{line.error.type}: {line.error.message}" if line.error else "no error was stored"
        found.append(f"line {line.line_number}: {one_line(why, most=300)}")
    more = run.lines.failed - len(found)
    return [*found, f"… and {plural(more, 'more line')}"] if more > 0 else found
