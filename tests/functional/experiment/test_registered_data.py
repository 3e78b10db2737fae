"""Experiments over registered datasets, from the command line and from Python."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from functional_helper import Project, runs_of

import flowyard

EXPERIMENT = """\
name: echoes
flow: echo
datasets:
- name: rows
  source: SOURCE
  mappings: {x: "${data.x}"}
evaluators:
- name: same
  type: exact_match
  datasets:
  - {name: rows, mappings: {answer: "${run.outputs.out}", ground_truth: "${data.x}"}}
"""


@pytest.fixture
def registered(project: Project) -> Project:
    """A dataset of three rows in version 1, and of four in version 2; the file itself is gone."""
    project.echo_flow()
    for count in (3, 4):
        project.jsonl("rows.jsonl", [{"x": f"word {number}"} for number in range(count)])
        project.run("dataset", "register", "rows.jsonl", "--name", "tickets")
    (project.root / "rows.jsonl").unlink()
    return project


def named(project: Project, source: str) -> None:
    project.write("experiment.yaml", EXPERIMENT.replace("SOURCE", source))


@pytest.mark.parametrize(("source", "version", "lines"), [("tickets:1", 1, 3), ("registry:tickets:2", 2, 4)])
def test_an_experiment_runs_over_a_registered_version(registered: Project, source: str, version: int, lines: int):
    named(registered, source)
    result = registered.json("experiment", "run", ".")
    for run in runs_of(result):
        assert run["lines"] == {"total": lines, "completed": lines, "failed": 0}
        assert run["properties"]["registered_dataset"] == f"tickets:{version}"
    shown = registered.json("experiment", "show", ".")
    assert shown["experiment"]["datasets"][0]["source"] == source
    stored = registered.json("run", "show", "-n", result["runs"][0]["name"])
    assert stored["properties"] == {"registered_dataset": f"tickets:{version}"}


UNKNOWN = {
    "registry:tickts:1": ["No dataset 'tickts' is registered.", "Did you mean 'tickets'?"],
    "tickts:1": ["There is no data file 'tickts:1'. No dataset 'tickts' is registered.", "Did you mean 'tickets'?"],
    "registry:tickets:3": ["Dataset 'tickets' has no version '3'.", "Versions: 1 to 2."],
    "tickets:latest": ["Dataset 'tickets' has no version 'latest'.", "Versions: 1 to 2."],
    "registry:tickets": ["names no version", "registry:NAME:VERSION"],
}


def test_what_is_not_registered_is_told_with_its_line(registered: Project):
    for source, said in UNKNOWN.items():
        named(registered, source)
        error = registered.run("experiment", "run", ".", code=2).stderr
        assert "experiment.yaml:5: " in error
        assert [text for text in said if text not in error] == []
    assert "experiment.yaml:5: " in registered.run("experiment", "show", ".", code=2).stderr
    assert not (registered.home / "runs").exists()


def test_a_file_wins_over_a_name(registered: Project):
    named(registered, "tickets:1")
    registered.jsonl("data/tickets:1", [{"x": "only"}])
    plan = registered.json("experiment", "run", ".", "--dry-run")
    assert [run["lines"] for run in plan["runs"]] == [1]


def test_changed_data_of_the_registry_is_not_run(registered: Project):
    named(registered, "tickets:1")
    path = Path(registered.json("dataset", "show", "tickets:1")["path"])
    path.chmod(0o644)
    path.write_text('{"x": "other"}\n')
    error = registered.run("experiment", "run", ".", code=5).stderr
    assert "was changed" in error
    assert "experiment.yaml:5" in error


def test_an_experiment_in_python(registered: Project, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(registered.root)
    named(registered, "tickets:2")
    result: Any = flowyard.Experiment(".", home=registered.home).run(home=registered.home)
    record = result.record
    assert [run.properties["registered_dataset"] for run in record.runs] == ["tickets:2"] * 2
    stored = json.loads((record.path / "experiment.json").read_text())
    assert {run["properties"]["registered_dataset"] for run in stored["runs"]} == {"tickets:2"}


def test_a_run_and_an_evaluation_of_it_name_registered_data(registered: Project):
    made = registered.json(
        "run", "create", "--flow", "echo", "--data", "registry:tickets:1", "--column-mapping", MAPPED
    )
    assert made["lines"]["completed"] == 3
    stored = registered.json("run", "show", "-n", made["name"])
    assert stored["properties"] == {"registered_dataset": "tickets:1"}
    judged = registered.json(
        *("evaluation", "create", "--run", made["name"], "--type", "exact_match", "--data", "registry:tickets:1"),
        *("--column-mapping", "answer=${run.outputs.out}", "ground_truth=${data.x}"),
    )
    (evaluation,) = judged["evaluations"]
    assert evaluation["metrics"]["exact_match"] == 1.0
    stored = registered.json("run", "show", "-n", evaluation["name"])
    assert stored["properties"]["registered_dataset"] == "tickets:1"
    assert stored["properties"]["evaluator"]


def test_a_name_alone_is_recorded_with_its_version(registered: Project):
    registered.write("run.yaml", "flow: echo\ndata: registry:tickets\ncolumn_mapping: {x: '${data.x}'}\n")
    made = registered.json("run", "create", "--file", "run.yaml")
    stored = registered.json("run", "show", "-n", made["name"])
    assert stored["properties"] == {"registered_dataset": "tickets:2"}
    assert stored["lines"]["total"] == 4


@pytest.mark.parametrize(
    ("data", "said"), [("registry:", "names no registered dataset"), ("registry:tickts:1", "tickets")]
)
def test_a_run_over_what_is_not_registered_is_not_begun(registered: Project, data: str, said: str):
    error = registered.run("run", "create", "--flow", "echo", "--data", data, code=2).stderr
    assert said in error
    assert not (registered.home / "runs").exists()


MAPPED = "x=${data.x}"
