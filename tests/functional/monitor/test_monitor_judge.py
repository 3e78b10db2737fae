"""``flowyard monitor judge|evaluate``: what production answered, judged by the evaluators of the experiment."""

from __future__ import annotations

import json
import os
import select
import xml.etree.ElementTree as ElementTree
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from functional_helper import ASK_FLOW, ASK_TEMPLATE, PATIENCE_S, RULES, Project, ending, start_flowyard
from monitor_helper import exchange, feedback, kept, lines_of

from flowyard._util.printable import printable_text
from flowyard.production.judging.sampling import draw_of

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
    if os.environ.get("STOP_AT") == ask:
        with open("REACHED", "w") as reached:
            reached.write(ask)
        with open("NEVER") as never:
            never.read()
    if ask == "fails":
        raise ValueError("cannot judge this")
    return {"words": len(answer.split()), "explanation": "counted"}

def right(answer, label):
    return {"is_right": answer == label}
"""


ASKED = """\
evaluators:
- name: asks
  flow: flows/asks
  datasets:
  - {name: questions, mappings: {question: "${run.outputs.answer}"}}
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


FAILS = asked(13, inputs={"x": "fails"})


def environment(project: Project, **more: str) -> dict[str, str]:
    return {"JUDGED": str(project.root / "judged"), **more}


def judged(project: Project, *words: str | Path, code: int = 0) -> Any:
    words = ("monitor", "judge", "cases/triage", "--rate", "1", *words)
    return project.json(*words, env=environment(project), code=code)


def lines_judged(project: Project) -> list[str]:
    path = project.root / "judged"
    return sorted(path.read_text().splitlines()) if path.exists() else []


def test_each_answer_is_judged_once_by_each_version_of_an_evaluator(use_case: Project):
    kept(use_case, *map(asked, range(12)), asked(20, status=500, outputs={}), FAILS, feedback(3, {"label": "It is 3."}))
    use_case.json("monitor", "collect", "records")
    first = judged(use_case, code=1)
    assert (first["sampled"], first["judged"], first["failed"]) == (13, 14, 1)
    assert first["unfit"] == {"length": 0, "right": 12}
    assert lines_judged(use_case) == sorted([*(f"q{number}" for number in range(12)), "fails"])
    kept(use_case, asked(30))
    use_case.json("monitor", "collect", "records")
    assert judged(use_case, code=1)["by_evaluator"] == {"length": 2}  # the new one, and what failed once more
    use_case.write("cases/triage/judges.py", JUDGES.replace('"counted"', '"counted again"'))
    assert judged(use_case, "--evaluator", "length", code=1)["by_evaluator"] == {"length": 14}
    assert use_case.json("run", "list") == []


def test_what_judges_said_is_shown_over_time(use_case: Project):
    kept(use_case, *(asked(number, outputs={"answer": "w " * (number % 5)}) for number in range(10)))
    use_case.json("monitor", "collect", "records")
    judged(use_case, "--evaluator", "length")
    groups = use_case.json("monitor", "show", "cases/triage")["groups"]
    assert sum(group["scores"]["length.words"]["judged"] for group in groups) == 10
    for group in groups:
        whole, parts = group["scores"]["length.words"], [point["scores"]["length.words"] for point in group["series"]]
        assert whole["judged"] == sum(part["judged"] for part in parts) == group["requests"]
        total = sum(part["judged"] * part["mean"] for part in parts)
        assert whole["mean"] == pytest.approx(total / whole["judged"])
    assert "length.words" in use_case.run("monitor", "show", "cases/triage").stdout
    assert use_case.json("monitor", "show", "cases/triage", "--since", "1m")["groups"] == []


def test_what_a_killed_command_judged_is_not_judged_again(use_case: Project):
    kept(use_case, *map(asked, range(12)))
    use_case.json("monitor", "collect", "records")
    reached, never = use_case.root / "reached", use_case.root / "never"
    for path in (reached, never):
        os.mkfifo(path)
    judges = JUDGES.replace("REACHED", str(reached)).replace("NEVER", str(never))
    use_case.write("cases/triage/judges.py", judges)
    words = ("monitor", "judge", "cases/triage", "--rate", "1", "--concurrency", "1", "--home", use_case.home)
    order = drawn_order(range(12))
    stop = environment(use_case, STOP_AT=f"q{order[7]}")
    waiting = os.open(reached, os.O_RDONLY | os.O_NONBLOCK)
    with os.fdopen(waiting), ending(start_flowyard(*words, cwd=use_case.root, env=stop)) as process:
        assert select.select([waiting], [], [], PATIENCE_S)[0], "the evaluator has not begun"
        refused = use_case.run("monitor", "judge", "cases/triage", env=environment(use_case), code=2)
        assert "judged already" in refused.stderr
        process.kill()
        process.wait(timeout=60)
        os.close(os.open(never, os.O_RDWR))  # lets the worker end
    second = judged(use_case)
    assert second["taken_over"] > 0
    assert second["taken_over"] + second["judged"] == 12
    repeated = Counter(lines_judged(use_case)) - Counter({f"q{number}": 1 for number in range(12)})
    assert len(repeated) <= 2
    assert judged(use_case)["judged"] == 0


def test_runs_of_people_are_no_leavings_of_a_killed_command(use_case: Project):
    kept(use_case, asked(1))
    use_case.json("monitor", "collect", "records")
    words = ("--flow", "cases/triage/flows/echo", "--data", "cases/triage/questions.jsonl")
    use_case.json("run", "create", *words, "--column-mapping", "x=${data.ask}", "--name", "judging_mine")
    assert judged(use_case)["judged"] == 1
    assert [run["name"] for run in use_case.json("run", "list")] == ["judging_mine"]


def drawn_order(numbers: Iterable[int]) -> list[int]:
    return sorted(numbers, key=lambda number: draw_of(f"request-{number}", "triage", 0))


def test_a_day_has_a_budget_and_what_a_simulated_model_said_is_marked(use_case: Project):
    use_case.flow("cases/triage/flows/asks", ASK_FLOW, ask_jinja2=ASK_TEMPLATE)
    use_case.write("rules.yaml", RULES)
    use_case.write("cases/triage/experiment.asked.yaml", ASKED)
    kept(use_case, *map(asked, range(30)))
    use_case.json("monitor", "collect", "records")
    words = ("--env", "asked", "--simulate", "rules.yaml", "--max-calls-per-day", "5")
    day = datetime.now(UTC).date()
    first = judged(use_case, *words)
    assert first["judged"] == first["model_calls"] == 5
    assert (first["simulated"], first["stopped"] is None) == (True, False)
    again = judged(use_case, *words)
    if datetime.now(UTC).date() == day:  # after midnight there is another budget
        assert (again["judged"], again["model_calls"]) == (0, 0)
        assert "The day's budget for judging is used up" in again["stopped"]


NASTY = "3\x1b[2J[red]<script>|=1"


def test_production_is_held_to_the_gates(use_case: Project):
    kept(
        use_case,
        asked(0, version=NASTY),
        *map(asked, range(1, 10)),
        *(feedback(number, {"label": "It is 1."}) for number in (1, 2)),
    )
    words = ("monitor", "evaluate", "cases/triage", "--collect", "records")
    found = use_case.json(*words, env=environment(use_case))
    gates = {gate["gate"]: (gate["verdict"], gate["dataset"], gate["value"]) for gate in found["gates"]}
    assert gates == {
        "words >= 2": ("pass", "production", 3.0),
        "is_right >= 0.5": ("pass", "production for right", 1.0),
    }
    assert {run["variant"] for run in found["runs"]} == {"version 1", "version 2", f"version {printable_text(NASTY)}"}
    (folder,) = (use_case.home / "experiments" / "triage_production").iterdir()
    for file in ("report.html", "report.md", "report.junit.xml"):
        text = (folder / file).read_text()
        assert ("<script>|" in text, "\x1b" in text) == (False, False), file
    shown = use_case.run(*words, env=environment(use_case))
    assert "[red]" in shown.stdout
    assert "\x1b[2J" not in shown.stdout + shown.stderr
    assert len(lines_judged(use_case)) == 10


def test_production_that_answers_nothing_does_not_pass(use_case: Project):
    kept(use_case, *(asked(number, status=500, outputs={}) for number in range(3)))
    done = use_case.run("monitor", "evaluate", "cases/triage", "--collect", "records", code=3)
    assert "All 3 requests of the sample failed." in done.stderr
    empty = use_case.run("monitor", "evaluate", "cases/triage", "--since", "1m", code=2)
    assert "no request of 'triage' to judge in that time" in empty.stderr


def test_a_gate_that_says_no_ends_in_the_data_of_the_next_experiment(use_case: Project):
    kept(use_case, *map(asked, range(6)), asked(9, version="3", outputs={"answer": "No."}), asked(10, version="3"))
    use_case.jsonl("known.jsonl", [{"x": "q0"}])
    use_case.json("dataset", "register", "known.jsonl", "--name", "known")
    words = ("monitor", "evaluate", "cases/triage", "--collect", "records", "--env", "prod", "--evaluator", "length")
    done = use_case.run(*words, env=environment(use_case), code=3)
    assert "words >= 10" in done.stdout
    assert "monitor export USECASE --filter" in done.stderr
    (folder,) = (use_case.home / "experiments" / "triage_production").iterdir()
    junit = ElementTree.parse(folder / "report.junit.xml").getroot()
    assert any("words >= 10" in case.get("name", "") for case in junit.iter("testcase") if len(case))
    assert (folder / "report.md").exists()
    filters = ("--filter", "low-judgement:length.words:2 or low-judgement:length:10 and failed")
    made = use_case.json("monitor", "export", "cases/triage", *filters, "--to", "short")
    (line,) = lines_of(use_case, made["source"].removeprefix("registry:"))
    assert line["judgements"] == {"length": {"words": 1, "explanation": "counted"}}
    others = ("--filter", "low-judgement:length:10", "--not-in", "short", "--not-in", "known:1", "--to", "others")
    made = use_case.json("monitor", "export", "cases/triage", *others)
    assert made["lines"] == 6
    overlay = {**made["overlay"], "evaluators": [], "gates": []}
    use_case.write("cases/triage/experiment.others.yaml", json.dumps(overlay))
    (run,) = use_case.json("experiment", "run", "cases/triage", "--env", "others")["runs"]
    assert run["lines"]["completed"] == 6
