"""Judges from the command line: checked against people, and as evaluators of an experiment."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from functional_helper import Project, ending, flowyard, start_flowyard, wait_for_text

from flowyard.decisions.agreement import agreement_of
from flowyard.decisions.model import Metric

RULES = """\
seed: 5
answers:
- {file: graded.jsonl, find: answer}
rules:
- name: cannot say
  when: {system: 'data block', user: 'mumble'}
  reply: 'I would rather not say.'
- name: judge
  when: {system: '"canary": "(?P<canary>[0-9a-f]{8})"'}
  known: true
  reply: '{"canary": "{{ match.canary }}", "reason": "It is {{ row.judge }}.\\u001b[31m", "grade": {{ row.judge }}}'
"""

ROWS = [("fine", 5, 5), ("good", 5, 5), ("poor", 1, 1), ("bad", 1, 4), ("so-so", 3, 3), ("odd", 2, 3), ("mumble", 3, 3)]


def write(project: Project, **extra: Any) -> list[dict[str, Any]]:
    rows = [{"answer": f"{name} answer", "human": human, "judge": judge} for name, human, judge in ROWS]
    rows.append({"answer": "nobody graded this", "human": None, "judge": 2})
    project.jsonl("graded.jsonl", rows)
    project.write("rules.yaml", RULES)
    return rows


CHECK = ("judge", "check", "--type", "rubric", "--options", "rubric=Is it good?", "--data", "graded.jsonl")
HUMAN = ("--labels", "human", "--simulate", "rules.yaml")


def test_a_judge_is_checked_against_people(project: Project):
    write(project)
    found = project.json(*CHECK, *HUMAN)
    assert found["lines"] == {"labelled": 7, "compared": 6, "ungraded": 1, "failed": 0}
    expected = agreement_of(
        Metric("rubric", "score", True, low=1, high=5),
        [float(human) for name, human, _ in ROWS],
        [math.nan if name == "mumble" else float(judge) for name, _, judge in ROWS],
    )
    assert found["kappa"] == expected.kappa
    assert found["weights"] == "quadratic"
    assert found["agreed"] == 4 / 6
    assert found["mean"] == {"people": 17 / 6, "judge": 21 / 6}
    assert found["confusion"]["grades"] == [1, 2, 3, 4, 5]
    assert found["confusion"]["counts"][0] == [1, 0, 0, 1, 0]
    apart = [(each["line_number"], each["people"], each["judge"]) for each in found["differences"]]
    assert apart == [(3, 1, 4), (5, 2, 3)]
    assert found["differences"][0]["reason"].startswith("It is 4.")
    assert found["simulated"] is True
    assert found["usage"]["calls"] == 9  # the answer that could not be read was asked for twice


@contextmanager
def served(project: Project) -> Iterator[dict[str, str]]:
    """The environment in which the connection ``grader`` leads to a server, whose answers are kept."""
    ready = project.root / "ready"
    with ending(start_flowyard("simulate", "rules.yaml", "--ready-file", ready, cwd=project.root)):
        url = f"{wait_for_text(ready)}/v1"
        yield {"grader": json.dumps({"type": "open_ai", "api_key": "a-key", "base_url": url})}


def test_a_second_check_asks_no_model_and_votes_are_calls_of_their_own(project: Project):
    write(project)
    judge = ("judge", "check", "--type", "rubric", "--data", "graded.jsonl", "--labels", "human", "--options")
    with served(project) as env:
        once = (*judge, "rubric=Good?", "connection=grader", "model=m")
        first, second = project.json(*once, env=env), project.json(*once, env=env)
        assert (first["usage"]["calls"], second["usage"]["calls"], second["usage"]["cached_calls"]) == (9, 0, 9)
        assert first["usage"]["prompt_tokens"] > 0
        assert second["kappa"] == first["kappa"]
        voting = (*once, "votes=3")
        first, second = project.json(*voting, env=env), project.json(*voting, env=env)
    assert (first["usage"]["calls"], second["usage"]["calls"], second["usage"]["cached_calls"]) == (27, 0, 27)


def test_calls_of_a_judge_can_be_recorded_and_replayed(project: Project):
    write(project)
    first = project.json(*CHECK, *HUMAN, "--record", "calls.jsonl", "--cache", "off")
    again = project.json(*CHECK, "--labels", "human", "--replay", "calls.jsonl", "--cache", "off")
    assert again["kappa"] == first["kappa"]


def test_a_check_fits_a_terminal_of_80_columns(project: Project):
    write(project)
    done = project.run(*CHECK, *HUMAN, "--most", "1", env={"COLUMNS": "80"})
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert "4 of 6 lines have the same grade (67 %)" in done.stdout
    assert "No grade:  1" in done.stdout
    assert "people \\ judge" in done.stdout
    assert "It is 4." in done.stdout
    assert "… and 1 more lines" in done.stdout
    assert "\x1b[31m" not in done.stdout


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("--type", "rubrik"), "rubric"),
        (("--type", "exact_match"), "no judge"),
        (("--type", "qa"), "--score"),
        (("--type", "rubric", "--options", "rubric=x", "scael=[1,2]"), "scale"),
        (("--type", "fluency", "--labels", "humna"), "human"),
    ],
)
def test_a_wrong_check_says_what_is_wrong(project: Project, args: tuple[str, ...], message: str):
    write(project)
    defaults = {"--data": "graded.jsonl", "--labels": "human", "--simulate": "rules.yaml"}
    rest = [word for name, value in defaults.items() if name not in args for word in (name, value)]
    assert message in project.rejected("judge", "check", *args, *rest)


def test_a_label_that_is_no_grade_is_named(project: Project):
    write(project)
    project.jsonl("graded.jsonl", [{"answer": "fine answer", "human": "great", "judge": 5}])
    assert "'great'" in project.run(*CHECK, *HUMAN, code=2).stderr


def test_labels_of_a_rubric_may_be_texts(project: Project):
    rows = [("yes answer", "right", "right"), ("no answer", "wrong", "wrong"), ("so answer", "wrong", "right")]
    project.jsonl("graded.jsonl", [{"answer": a, "human": human, "judge": judge} for a, human, judge in rows])
    project.write("rules.yaml", RULES.replace('"grade": {{ row.judge }}', '"grade": "{{ row.judge }}"'))
    project.write("rubric.yaml", "rubric: Is it right?\nlabels: [wrong, right]\n")
    found = project.json("judge", "check", "--type", "rubric", "--options", "rubric.yaml", *CHECK[6:], *HUMAN)
    assert found["confusion"]["counts"] == [[1, 1], [0, 1]]
    assert found["weights"] is None
    assert found["kappa"] == pytest.approx(0.4, abs=1e-12)


EXPERIMENT = """\
name: judged
flow: echo
datasets:
- {name: lines, source: graded.jsonl, mappings: {x: '${data.answer}'}}
evaluators:
- name: kind
  type: rubric
  options: {rubric: 'Is it good?', connection: grader, votes: 2}
  datasets:
  - {name: lines, mappings: {answer: '${target.out}'}}
"""


def test_a_judge_evaluates_an_experiment(project: Project):
    write(project)
    project.echo_flow()
    project.write("experiment.yaml", EXPERIMENT)
    grader = json.dumps({"type": "simulated", "rules": str(project.root / "rules.yaml")})
    found = project.json("experiment", "run", "experiment.yaml", env={"grader": grader})
    text = json.dumps(found)
    assert '"rubric": 3.28' in text, text
    files = [file.read_text(encoding="utf-8") for file in Path(project.home).glob("runs/*/outputs.jsonl")]
    (judged,) = [text for text in files if '"rubric"' in text]
    outputs = [json.loads(line) for line in judged.splitlines()]
    assert outputs[3]["rubric"] == 4.0
    assert outputs[3]["votes"] == [4.0, 4.0]
    assert outputs[6]["reason"].startswith("No grade: 2 of 2 votes had none")


PAIRS = """\
rules:
- name: prefers the longer one
  when:
    system: '"canary": "(?P<canary>[0-9a-f]{8})"'
    user: '"first": "(?P<one>[^"]*)", "second": "(?P<two>[^"]*)"'
  reply: '{"canary": "{{ match.canary }}", "reason": "Longer.", "grade": "{{
    "first" if match.one | length > match.two | length else "tie" if match.one | length == match.two | length
    else "second" }}"}'
"""
NEW = [("not so short", "answer"), ("short", "reference"), ("even", "tie")]


@pytest.mark.parametrize("home", [(), ("--home", "elsewhere")], ids=["project's home", "another home"])
def test_a_run_is_judged_against_another_run(project: Project, home: tuple[str, ...]):
    project.echo_flow()
    project.write(".flowyard/.keep", "")
    project.jsonl("old.jsonl", [{"x": "short"}, {"x": "quite a long answer"}, {"x": "same"}])
    project.jsonl("new.jsonl", [{"answer": answer, "human": human} for answer, human in NEW])
    project.write("rules.yaml", PAIRS)
    made = flowyard("run", "create", "--flow", "echo", "--data", "old.jsonl", "--name", "old", *home, cwd=project.root)
    assert made.returncode == 0, made.stderr
    judge = ("judge", "check", "--type", "pairwise", "--data", "new.jsonl", "--labels", "human", "--json", *home)
    options = ("--simulate", "rules.yaml", "--options", "baseline_output=out")
    done = flowyard(*judge, *options, "baseline_run=old", cwd=project.root)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["agreed"], found["usage"]["calls"]) == (1.0, 6)
