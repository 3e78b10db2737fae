"""An experiment with versions that are right, wrong and failing where a test wants it, and a grader that counts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from functional_helper import Project

__all__ = ["BETTER", "EXPERIMENT", "SOLVER", "decided", "solving", "verdicts"]

FLOW = """\
inputs:
  question: {type: string}
  level: {type: int}
outputs:
  answer: {type: string, reference: "${solve.output}"}
nodes:
- name: solve
  type: python
  use_variants: true
node_variants:
  solve:
    default_variant_id: plain
    variants:
"""
VARIANT = """\
      {name}:
        node:
          type: python
          source: {{type: code, path: {name}.py}}
          inputs: {{question: "${{inputs.question}}", level: "${{inputs.level}}"}}
"""
SOLVER = """\
from promptflow.core import tool


@tool
def solve(question: str, level: int) -> str:
    if level >= {fails_from}:
        raise ValueError("too hard")
    return question.upper() if level < {right_below} else "?"
"""
GRADER = """\
inputs:
  answer: {type: string}
  expected: {type: string}
outputs:
  grade: {type: string, reference: "${grade.output}"}
nodes:
- name: grade
  type: python
  source: {type: code, path: grade.py}
  inputs: {answer: "${inputs.answer}", expected: "${inputs.expected}"}
- name: total
  type: python
  source: {type: code, path: total.py}
  inputs: {grades: "${grade.output}"}
  aggregation: true
"""
GRADE = """\
from promptflow.core import tool


@tool
def grade(answer: str, expected: str) -> str:
    return "Correct" if answer == expected else "Incorrect"
"""
TOTAL = """\
from promptflow.core import log_metric, tool


@tool
def total(grades: list):
    log_metric("accuracy", round(grades.count("Correct") / len(grades), 4))
"""
EXPERIMENT = """\
name: solving
flow: solving
datasets:
- name: questions
  source: data.jsonl
  mappings: {question: "${data.question}", level: "${data.level}"}
evaluators:
- name: grader
  flow: grader
  datasets:
  - name: questions
    mappings: {answer: "${run.outputs.answer}", expected: "${data.expected}"}
"""
BETTER = "{metric: accuracy, better_than: baseline}"


def solving(project: Project, *, lines: int = 40, **solvers: tuple[int, int]) -> None:
    """A flow whose variants are right below a level, and fail from a level on; levels go round from 0 to 9."""
    variants = "".join(VARIANT.format(name=name) for name in solvers)
    project.flow("solving", FLOW + variants)
    for name, (right_below, fails_from) in solvers.items():
        project.write(f"solving/{name}.py", SOLVER.format(right_below=right_below, fails_from=fails_from))
    project.flow("grader", GRADER, grade_py=GRADE, total_py=TOTAL)
    project.jsonl(
        "data.jsonl",
        [
            {"question": f"q{number}", "level": number % 10, "expected": f"Q{number}", "half": number % 2}
            for number in range(lines)
        ],
    )
    project.write("experiment.yaml", EXPERIMENT)


def decided(project: Project, blocks: str, *words: str, code: int = 0) -> Any:
    project.write("experiment.yaml", EXPERIMENT + blocks)
    return project.json("experiment", "run", ".", *words, code=code)


def verdicts(result: Mapping[str, Any]) -> list[str]:
    return [gate["verdict"] for gate in result["gates"]]
