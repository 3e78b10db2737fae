"""People's labels in an experiment: agreement beside the metric, and the judge's error in its interval."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from functional_helper import Project, one_node_flow

LENIENT = """\
from promptflow.core import tool


@tool
def work(out: str):
    return 0 if out.endswith("9") else 1
"""

EXPERIMENT = """\
name: labelled
flow: echo
datasets:
- {name: lines, source: lines.jsonl, mappings: {x: '${data.text}'}}
evaluators:
- name: lenient
  flow: lenient
  datasets:
  - {name: lines, mappings: {out: '${run.outputs.out}'}}
metrics: {right: {from: right, low: 0, high: 1, labels: human}}
gates: ["right >= 0.8"]
"""


def gate_of(project: Project, human: Any, code: int) -> tuple[dict[str, Any], str]:
    project.echo_flow()
    project.flow("lenient", one_node_flow({"out": "string"}, {"right": "${work.output}"}), work_py=LENIENT)
    project.jsonl("lines.jsonl", [{"text": f"text {line}", "human": human(line)} for line in range(100)])
    project.write("experiment.yaml", EXPERIMENT)
    found = project.json("experiment", "run", "experiment.yaml", code=code)
    (gate,) = found["gates"]
    return gate, Path(found["reports"]["markdown"]).read_text(encoding="utf-8")


def test_without_labels_the_judge_is_believed(project: Project):
    gate, report = gate_of(project, lambda _line: None, 0)
    assert gate["value"] == 0.9
    assert "no line has a grade of both" in report


def test_labels_correct_what_a_lenient_judge_says(project: Project):
    """It passes 90 %; people say of a part of these that half are right."""
    gate, report = gate_of(project, lambda line: line % 2 if line < 40 else None, 3)
    assert gate["value"] == pytest.approx(0.9 * 16 / 36 + 0.1, abs=1e-9)
    assert gate["interval"]["low"] < gate["value"] < gate["interval"]["high"]
    assert "the same grade on 16 of 40 lines" in report
    assert "kappa" in report


def test_a_label_that_is_no_grade_is_a_warning(project: Project):
    gate, report = gate_of(project, lambda line: "good" if line == 3 else None, 0)
    assert gate["value"] == 0.9
    assert "### Judges" not in report
