"""What hurt people most about runs, by the number of the pain in our reading of their threads."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from functional_helper import ECHO_TOOL, Project, one_node_flow, read_jsonl, runs_of

PICKY = ECHO_TOOL.replace("    return x", "    if x == 'bad':\n        raise ValueError('no')\n    return len(x)")
MEAN_FLOW = """\
inputs: {given: {type: int}}
outputs: {score: {type: int, reference: "${score.output}"}}
nodes:
- {name: score, type: python, source: {type: code, path: score.py}, inputs: {given: "${inputs.given}"}}
- name: mean
  type: python
  source: {type: code, path: mean.py}
  inputs: {scores: "${score.output}"}
  aggregation: true
"""
SCORE = "from promptflow.core import tool\n\n\n@tool\ndef score(given: int):\n    return given * FACTOR\n"
MEAN = """\
from promptflow.core import log_metric, tool


@tool
def mean(scores: list):
    log_metric("mean", sum(scores) / len(scores))
    log_metric("kinds", sorted({type(score).__name__ for score in scores}))
"""
EXPERIMENT = """\
name: lengths
flow: picky
datasets:
- {name: short, source: short.jsonl, mappings: {x: "${data.x}"}}
- {name: long, source: long.jsonl, mappings: {x: "${data.x}"}}
evaluators:
- name: once
  flow: once
  datasets:
  - {name: short, mappings: {given: "${run.outputs.out}"}}
  - {name: long, mappings: {given: "${run.outputs.out}"}}
- name: twice
  flow: twice
  datasets:
  - {name: short, mappings: {given: "${run.outputs.out}"}}
  - {name: long, mappings: {given: "${run.outputs.out}"}}
"""


@pytest.fixture
def lengths(project: Project) -> Project:
    """A flow that fails on ``bad``, two datasets and two evaluators that log a metric of the same name."""
    project.flow("picky", one_node_flow({"x": "string"}), work_py=PICKY)
    for name, factor in (("once", "1"), ("twice", "2")):
        project.flow(name, MEAN_FLOW, score_py=SCORE.replace("FACTOR", factor), mean_py=MEAN)
    project.jsonl("short.jsonl", [{"x": "a"}, {"x": "bad"}, {"x": "ccc"}])
    project.jsonl("long.jsonl", [{"x": "a" * 10}, {"x": "b" * 20}])
    project.write("experiment.yaml", EXPERIMENT)
    return project


def create(project: Project, *args: str, code: int = 0) -> Any:
    return project.json("run", "create", *args, code=code)


def test_pain_3_a_failed_line_is_never_in_the_numbers(lengths: Project):
    create(lengths, "--flow", "picky", "--data", "short.jsonl", "--name", "base", code=1)
    words = ["--run", "base", "--column-mapping", "given=${run.outputs.out}"]
    score = create(lengths, "--flow", "once", *words)
    assert score["metrics"] == {"mean": 2.0, "kinds": ["int"]}
    stored = [file.read_text() for file in (lengths.home / "runs").rglob("*") if file.is_file()]
    assert not any("(Failed)" in text for text in stored)


def test_pain_10_failed_lines_fail_the_command(lengths: Project):
    words = ["run", "create", "--flow", "picky", "--data", "short.jsonl"]
    assert lengths.run(*words, code=1).returncode == 1
    assert lengths.json("run", "list")[0]["status"] == "completed"
    lengths.run(*words, "--max-failed-lines", "1", code=0)
    lengths.write("mean_of_none.jsonl", '{"given": "x"}\n')
    failed = create(lengths, "--flow", "once", "--data", "mean_of_none.jsonl", code=1)
    assert failed["lines"]["failed"] == 1
    assert failed["errors"][0]["type"] == "ZeroDivisionError"


def test_pain_10_a_failed_aggregation_alone_fails_the_command(lengths: Project):
    lengths.write("once/mean.py", "from promptflow.core import tool\n\n\n@tool\ndef mean(scores):\n    return 1 / 0\n")
    run = create(lengths, "--flow", "once", "--data", lengths.jsonl("d.jsonl", [{"given": 1}]), code=1)
    assert run["lines"] == {"total": 1, "completed": 1, "failed": 0}
    assert run["errors"][0]["node"] == "mean"


def test_pain_24_each_dataset_and_evaluator_keeps_its_own_report(lengths: Project):
    first = lengths.json("experiment", "run", ".", code=1)
    assert len({run["name"] for run in runs_of(first)}) == 6
    assert len({run["path"] for run in runs_of(first)}) == 6
    with (Path(first["path"]) / "metrics.csv").open(encoding="utf-8") as file:
        rows = {row["dataset"]: row for row in csv.DictReader(file)}
    assert {name: (row["once.mean"], row["twice.mean"]) for name, row in rows.items()} == {
        "short": ("2.0", "4.0"),
        "long": ("15.0", "30.0"),
    }
    page = Path(first["path"]) / "report.html"
    before = page.read_bytes()
    second = lengths.json("experiment", "run", ".", code=1)
    assert second["path"] != first["path"]
    assert page.read_bytes() == before


def test_pain_24_runs_made_one_by_one_are_one_matrix(lengths: Project):
    for data in ("short", "long"):
        create(lengths, "--flow", "picky", "--data", f"{data}.jsonl", "--name", data, code=int(data == "short"))
        for flow in ("once", "twice"):
            words = ["--run", data, "--column-mapping", "given=${run.outputs.out}"]
            create(lengths, "--flow", flow, *words, "--name", f"{data}-{flow}")
    names = "short,long,short-once,short-twice,long-once,long-twice"
    text = Path(lengths.json("run", "visualize", "--names", names)["page"]).read_text("utf-8")
    assert "2 runs × 2 datasets" in text
    for number in ("2.000", "4.000", "15.000", "30.000"):
        assert number in text


def test_pain_25_everything_wrong_with_a_mapping_is_said_at_once(lengths: Project):
    words = ["--flow", "picky", "--data", "short.jsonl", "--column-mapping"]
    said = lengths.rejected("run", "create", *words, "x=${data.y}", "a=${dta.x}", "b=${run.outputs.x}", "c=${data.x")
    assert "Input 'x' reads ${data.y}, but the data short.jsonl has no such column. It has: 'x'." in said
    assert "'a' reads ${dta.x}, which is no known source" in said
    assert "no run was given" in said
    assert "'c' is not a whole reference" in said


def test_pain_25_a_misspelt_input_is_not_silent(lengths: Project):
    flow = one_node_flow({"text": "string"}).replace("type: string}", "type: string, default: own}", 1)
    lengths.flow("f", flow, work_py=ECHO_TOOL.replace("x", "text"))
    done = lengths.run("run", "create", "--flow", "f", "--data", "short.jsonl", "--column-mapping", "txt=${data.x}")
    assert "The mapping sets 'txt', which is not an input of flow 'f'. Did you mean 'text'?" in done.stderr


def test_pain_25_nothing_is_run_before_the_mapping_is_checked(lengths: Project):
    lengths.write("picky/work.py", PICKY.replace("    if", "    open('ran', 'w').close()\n    if"))
    lengths.rejected("run", "create", "--flow", "picky", "--data", "short.jsonl", "--column-mapping", "x=${data.z}")
    assert not list(lengths.root.rglob("ran"))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("data.json", json.dumps([{"x": "a"}, {"x": "bb"}])),
        ("data.txt", '{"x": "a"}\n{"x": "bb"}\n'),
        ("folder/1.csv", "x\na\nbb\n"),
    ],
)
def test_pain_25_data_in_the_form_that_people_have(lengths: Project, name: str, text: str):
    lengths.write(name, text)
    run = create(lengths, "--flow", "picky", "--data", name.split("/", maxsplit=1)[0])
    assert [row["out"] for row in read_jsonl(run["outputs"])] == [1, 2]
