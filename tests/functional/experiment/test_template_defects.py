"""What the template let pass, and what its pipelines did not do: docs/template_defects.md has the whole list."""

from __future__ import annotations

import json
from pathlib import Path

from functional_helper import Project, one_node_flow
from solving_experiment import BETTER, EXPERIMENT, decided, solving

MEETING = """\
import threading

from promptflow.core import tool

two = threading.Barrier(2)


@tool
def work(x: str):
    two.wait(timeout=50)
    return x
"""
OVERLAY = """\
datasets:
- name: questions
  source: few.jsonl
  mappings: {question: "${data.question}", level: "${data.level}"}
"""


def test_defect_2_lines_run_at_once(project: Project):
    """No line ends before another one has come as far."""
    project.flow("meeting", one_node_flow({"x": "string"}), work_py=MEETING)
    project.jsonl("rows.jsonl", [{"x": str(number)} for number in range(4)])
    project.write(
        "experiment.yaml",
        "name: meeting\nflow: meeting\ndatasets:\n- {name: rows, source: rows.jsonl, mappings: {x: '${data.x}'}}\n",
    )
    found = project.json("experiment", "run", ".", "--workers", "1", "--concurrency", "2")
    assert found["runs"][0]["lines"]["completed"] == 4


def test_defect_16_lines_that_all_failed_are_no_success(project: Project):
    """The template's run was "Completed", and its pipeline green."""
    solving(project, plain=(10, 0))
    found = decided(project, "", code=1)
    assert found["runs"][0]["lines"] == {"total": 40, "completed": 0, "failed": 40}
    assert decided(project, "gates: ['accuracy >= 0.1']\n", code=3)["verdict"] == "fail"
    assert decided(project, "gates: ['accuracy >= 0.1']\n", "--max-failed-lines", "40", code=3)["verdict"] == "fail"


def test_defect_17_who_approves_sees_the_metrics(project: Project):
    """The template's approval showed names of runs. Ours is asked for below what goes into a job's summary."""
    solving(project, plain=(8, 99), clever=(10, 99))
    found = decided(project, f"gates:\n- accuracy >= 0.7\n- {BETTER}\n")
    text = Path(found["reports"]["markdown"]).read_text("utf-8")
    assert text.index("accuracy") < text.index("clever")
    assert "McNemar" in text
    assert "0.8" in text


def test_defect_18_a_check_that_could_not_be_made_is_no_success(project: Project):
    """The template's smoke test ended with 0 whatever it found."""
    solving(project, plain=(10, 99))
    assert decided(project, "gates: ['acuracy >= 0.1']\n", code=3)["verdict"] == "fail"
    project.write(
        "grader/total.py", "from promptflow.core import tool\n\n\n@tool\ndef total(grades: list):\n    1 / 0\n"
    )
    assert decided(project, "", code=1)["verdict"] is None
    assert decided(project, "gates: ['accuracy >= 0.1']\n", code=3)["verdict"] == "fail"


def test_defect_19_an_environment_that_nobody_described_is_an_error(project: Project):
    """The template had nothing to do for it, and so was successful."""
    solving(project, plain=(10, 99))
    project.write("experiment.prod.yaml", OVERLAY)
    said = project.rejected("experiment", "run", ".", "--env", "prd")
    assert "experiment.prd.yaml" in said
    assert "'prod'" in said


def test_defect_20_a_pull_request_is_evaluated_and_judged(project: Project):
    """The template's overlay for pull requests switched the evaluators off; ours needs a smaller dataset only."""
    solving(project, plain=(8, 99))
    rows = (project.root / "data.jsonl").read_text("utf-8").splitlines(keepends=True)
    project.write("few.jsonl", "".join(rows[:10]))
    project.write("experiment.pr.yaml", OVERLAY)
    for bar, code, verdict in (("0.9", 3, "fail"), ("0.8", 0, "pass")):
        project.write("experiment.yaml", EXPERIMENT + f"gates: ['accuracy >= {bar}']\n")
        found = project.json("experiment", "run", ".", "--env", "pr", code=code)
        (evaluation,) = found["runs"][0]["evaluations"]
        assert evaluation["metrics"] == {"accuracy": 0.8}
        assert (evaluation["lines"]["total"], found["verdict"]) == (10, verdict)
        assert json.loads(Path(found["reports"]["json"]).read_text("utf-8"))
