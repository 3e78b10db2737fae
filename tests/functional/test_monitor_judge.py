"""``flowyard monitor judge|evaluate``: what production answered, judged by the evaluators of the experiment."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from functional_helper import Project
from test_monitor import exchange, feedback, kept

EXPERIMENT = """\
name: triage
flow: flows/echo
datasets:
- {name: questions, source: questions.jsonl, mappings: {x: "${data.ask}"}}
evaluators:
- name: length
  python: judges.py:length
  datasets:
  - {name: questions, mappings: {answer: "${run.outputs.answer}", ask: "${data.ask}"}}
- name: right
  python: judges.py:right
  datasets:
  - {name: questions, mappings: {answer: "${run.outputs.answer}", label: "${data.label}"}}
gates: ["words >= GATE", "is_right >= 0.5", {metric: words, not_worse_than: baseline, by: 0.1}]
"""

JUDGES = """\
import os

def length(answer, ask):
    with open(os.environ["JUDGED"], "a") as file:
        file.write(ask + "\\n")
    if os.environ.get("KILL_AT") == ask:
        os.kill(int(os.environ["KILLS"] or os.getppid()), 9)
    if ask == "fails":
        raise ValueError("cannot judge this")
    return {"words": len(answer.split()), "explanation": "counted"}

def right(answer, label):
    return {"is_right": answer == label}
"""


@pytest.fixture
def use_case(project: Project) -> Project:
    project.echo_flow("cases/triage/flows/echo")
    project.jsonl("cases/triage/questions.jsonl", [{"ask": "a", "label": "b"}])
    project.write("cases/triage/experiment.yaml", EXPERIMENT.replace("GATE", "2"))
    project.write("cases/triage/experiment.prod.yaml", 'gates: ["words >= 10"]\n')
    project.write("cases/triage/judges.py", JUDGES)
    return project


def asked(number: int, **changes: Any) -> dict[str, Any]:
    return exchange(number, **{"inputs": {"x": f"q{number}"}, **changes})


def judged(project: Project, *words: str | Path, **options: Any) -> Any:
    return project.json(
        "monitor", "judge", "cases/triage", *words, env={"JUDGED": str(project.root / "judged")}, **options
    )


def lines_judged(project: Project) -> list[str]:
    path = project.root / "judged"
    return sorted(path.read_text().splitlines()) if path.exists() else []


def test_each_answer_is_judged_once_by_each_version_of_an_evaluator(use_case: Project):
    kept(use_case, *map(asked, range(12)), asked(20, status=500, outputs={}), feedback(3, {"label": "It is 3."}))
    use_case.json("monitor", "collect", "records")
    first = judged(use_case, "--rate", "1")
    assert (first["sampled"], first["judged"], first["failed"], first["unfit"]) == (
        12,
        13,
        0,
        {"length": 0, "right": 11},
    )
    again = judged(use_case, "--rate", "1")
    assert (again["judged"], again["by_evaluator"]) == (0, {})
    assert lines_judged(use_case) == sorted(f"q{number}" for number in range(12))
    kept(use_case, asked(30))
    use_case.json("monitor", "collect", "records")
    assert judged(use_case, "--rate", "1")["by_evaluator"] == {"length": 1}
    use_case.write("cases/triage/judges.py", JUDGES.replace('"counted"', '"counted again"'))
    changed = judged(use_case, "--rate", "1", "--evaluator", "length")
    assert changed["by_evaluator"] == {"length": 13}
    assert use_case.json("run", "list") == []


def test_production_is_held_to_the_gates(use_case: Project):
    kept(use_case, *map(asked, range(10)), *(feedback(number, {"label": "It is 1."}) for number in (1, 2)))
    environment = {"JUDGED": str(use_case.root / "judged")}
    words = ("monitor", "evaluate", "cases/triage", "--collect", "records")
    found = use_case.json(*words, env=environment)
    gates = {gate["gate"]: (gate["verdict"], gate["dataset"], gate["value"]) for gate in found["gates"]}
    assert gates == {
        "words >= 2": ("pass", "production", 3.0),
        "is_right >= 0.5": ("pass", "production for right", 1.0),
    }
