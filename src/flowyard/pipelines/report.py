"""What runs of a pipeline came to, for machines and for people: JSON, Markdown and JUnit XML."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flowyard._util.files import dump_json, write_atomic
from flowyard.pipelines.log import PipelineRecord
from flowyard.pipelines.model import Pipeline
from flowyard.reports.file_names import file_stem
from flowyard.reports.junit import xml_text
from flowyard.reports.markdown_text import literal, table_lines
from flowyard.steps import StepRecord

__all__ = [
    "MOST_CHARACTERS",
    "StageReport",
    "exit_code",
    "record_view",
    "render_junit",
    "render_markdown",
    "worst",
    "write_reports",
]

MOST_CHARACTERS = 60_000
"""GitHub refuses a comment of more than 65,536 characters."""

_SIGNS = {"done": "✅", "refused": "❌", "running": "⏳", "waiting": "➖"}
_COPIED = {"report.html": "experiment.html", "report.junit.xml": "experiment.junit.xml"}
_FAILURES = frozenset({1, 3, 4})
"""Exit codes that say that something was not good enough; others say that it could not be found out."""


@dataclass(frozen=True, slots=True)
class StageReport:
    """A run of a pipeline, and the folder with the reports of its experiment, when there is one."""

    pipeline: Pipeline
    record: PipelineRecord
    experiment: Path | None = None


def record_view(report: StageReport) -> dict[str, Any]:
    """What machines get of a run: the names in it are a contract."""
    record = report.record
    noted = {name: value for step in record.steps for name, value in step.result.items() if value is not None}
    return {
        "pipeline": report.pipeline.name,
        "name": record.name,
        "key": record.key,
        "env": report.pipeline.env,
        "by": record.by,
        "created_at": record.created_at,
        "state": record.state,
        "exit_code": exit_code(record),
        "version": noted.get("version"),
        "digest": noted.get("digest"),
        "inputs": dict(record.versions),
        "stages": [_stage_view(report.pipeline, step) for step in record.steps],
    }


def exit_code(record: PipelineRecord, until: str | None = None) -> int:
    """That of the first no; 4 while people are waited for, unless that is in a stage after ``until``."""
    names = [step.name for step in record.steps]
    reached = record.steps[: names.index(until) + 1] if until else record.steps
    waits = any(step.state == "running" for step in reached) and record.waits
    return record.exit_code or (4 if waits else 0)


def render_markdown(reports: Sequence[StageReport], *, most: int = MOST_CHARACTERS) -> str:
    """The stages of each run, and below them what its experiment says; what does not fit is left out and told."""
    texts = [_stages_text(each) for each in reports]
    room = most - sum(map(_size, texts)) - 200
    for place, each in enumerate(reports):
        more = _experiment_text(each.experiment)
        if _size(more) > room:
            more = "*The report of the experiment does not fit here: see experiment.html.*\n"
        room -= _size(more)
        texts[place] += more
    return "\n".join(texts)


def render_junit(reports: Sequence[StageReport]) -> bytes:
    """The document in UTF-8: a suite for each run, a case for each stage; a stage that was not done is skipped."""
    from xml.etree import ElementTree  # noqa: PLC0415 - only this form needs it

    root = ElementTree.Element("testsuites", name="flowyard pipeline")
    for report in reports:
        title = xml_text(f"{report.pipeline.name}: {report.record.name}")
        cases = [_case(title, step) for step in report.record.steps]
        counts: dict[str, Any] = {
            name: str(sum(case.find(tag) is not None for case in cases))
            for name, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped"))
        }
        suite = ElementTree.SubElement(root, "testsuite", name=title, tests=str(len(cases)), **counts)
        suite.extend(cases)
    ElementTree.indent(root)
    document: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return document + b"\n"


def write_reports(report: StageReport, folder: Path) -> None:
    """``summary.md``, ``report.junit.xml`` and ``pipeline.json``, and copies of the experiment's page and JUnit XML."""
    folder.mkdir(parents=True, exist_ok=True)
    write_atomic(folder / "summary.md", render_markdown([report]))
    write_atomic(folder / "report.junit.xml", render_junit([report]))
    write_atomic(folder / "pipeline.json", dump_json(record_view(report), indent=2) + "\n")
    for source, name in _COPIED.items():
        if report.experiment is not None and (report.experiment / source).is_file():
            shutil.copyfile(report.experiment / source, folder / name)


def _stage_view(pipeline: Pipeline, step: StepRecord) -> Mapping[str, Any]:
    return {
        "name": step.name,
        "job": pipeline.job_of(step.name).name,
        "state": "skipped" if step.result.get("skipped") else step.state,
        "exit_code": step.exit_code,
        "said": step.said,
        "seconds": step.result.get("seconds"),
        "result": json.loads(dump_json(dict(step.result))),
    }


def _stages_text(report: StageReport) -> str:
    """Stages that only tell of the others, as this text does, are left out of it unless they failed."""
    record = report.record
    telling = {stage.name for stage in report.pipeline.stages if stage.always}
    steps = [step for step in record.steps if step.name not in telling or step.state == "refused"]
    states = {step.state for step in steps}
    said = "❌ Stopped" if "refused" in states else "✅ Done" if states == {"done"} else "⏳ Not finished"
    marker = f"<!-- flowyard pipeline: {file_stem(record.name, report.pipeline.name)} -->"
    title = f"## {said}: {literal(record.name, most=120)} · {report.pipeline.name}"
    rows = [
        f"| {_SIGNS[step.state]} | {step.name} | {literal(step.said, most=300)} | {_seconds(step)} |" for step in steps
    ]
    return "\n".join([marker, title, "", *table_lines(["", "stage", "what came out", "took"]), *rows]) + "\n\n"


def _experiment_text(folder: Path | None) -> str:
    """The experiment's own report without its marker; it is literal Markdown already."""
    file = folder / "report.md" if folder is not None else None
    if file is None or not file.is_file():
        return ""
    lines = file.read_text("utf-8").splitlines()
    return "\n".join(lines[1:] if lines and lines[0].startswith("<!--") else lines) + "\n"


def _case(title: str, step: StepRecord) -> Any:
    from xml.etree import ElementTree  # noqa: PLC0415 - only this form needs it

    case = ElementTree.Element("testcase", name=step.name, classname=title, time=f"{_time(step):.3f}")
    said = xml_text(step.said)
    if step.state == "refused":
        tag = "failure" if step.exit_code in _FAILURES else "error"
        ElementTree.SubElement(case, tag, message=said, type=f"exit_{step.exit_code}").text = said
    elif step.state != "done" or step.result.get("skipped"):
        ElementTree.SubElement(case, "skipped", message=said or "not done")
    else:
        ElementTree.SubElement(case, "system-out").text = said
    return case


def _time(step: StepRecord) -> float:
    seconds = step.result.get("seconds")
    return float(seconds) if isinstance(seconds, int | float) else 0.0


def _seconds(step: StepRecord) -> str:
    return f"{_time(step):.1f} s" if step.result.get("seconds") is not None else ""


def _size(text: str) -> int:
    """How many characters GitHub counts: one beyond the basic plane is two."""
    return len(text) + sum(letter > "\uffff" for letter in text)


def worst(codes: Iterable[int]) -> int:
    """The exit code of several runs: the one that says most clearly that nothing is known."""
    order = (0, 1, 3, 4, 5, 2, 70)
    return max(codes, key=lambda code: order.index(code) if code in order else len(order), default=0)
