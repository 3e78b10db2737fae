"""``run create --resume-from``: completed lines are taken over, the others run, the aggregation sees all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from functional_helper import Project

FLOW = """\
inputs: {x: {type: int}}
outputs: {y: {type: int, reference: "${work.output}"}}
nodes:
- {name: work, type: python, source: {type: code, path: work.py}, inputs: {x: "${inputs.x}"}}
- name: total
  type: python
  source: {type: code, path: total.py}
  inputs: {xs: "${inputs.x}", ys: "${work.output}"}
  aggregation: true
"""
WORK = """\
import os
from pathlib import Path

from promptflow.core import tool

FOLDER = Path(__file__).parent


@tool
def work(x: int):
    with (FOLDER / "ran.txt").open("a") as file:
        file.write(f"{x}\\n")
    if x % 2 and not (FOLDER / "mended").exists():
        raise ValueError("odd")
    return x * 10 + int(os.environ.get("EXTRA", "0"))
"""
TOTAL = """\
from promptflow.core import log_metric, tool


@tool
def total(xs: list, ys: list):
    log_metric("pairs", [list(pair) for pair in zip(xs, ys)])
"""


@pytest.fixture
def half(project: Project) -> Project:
    """A run of which the lines 1 and 3 failed, and a flow that would not fail them any more."""
    project.flow("f", FLOW, work_py=WORK, total_py=TOTAL)
    data = project.jsonl("data.jsonl", [{"x": x} for x in range(5)])
    create(project, "--flow", "f", "--data", data, "--name", "half", "--column-mapping", "x=${data.x}", code=1)
    project.write("f/mended", "")
    project.write("f/ran.txt", "")
    return project


def create(project: Project, *args: str, code: int = 0) -> Any:
    return project.json("run", "create", *args, code=code)


def ran(project: Project) -> list[int]:
    return sorted(map(int, (project.root / "f" / "ran.txt").read_text().split()))


def test_only_what_is_missing_runs(half: Project):
    run = create(half, "--resume-from", "half", "--name", "whole", "--set", "display_name=Whole", "tags.a=b")
    assert ran(half) == [1, 3]
    assert run["lines"] == {"total": 5, "completed": 5, "failed": 0}
    assert run["metrics"]["pairs"] == [[x, 10 * x] for x in range(5)]
    assert (run["resumed_from"], run["display_name"], run["tags"]) == ("half", "Whole", {"a": "b"})
    assert run["column_mapping"] == {"x": "${data.x}"}
    assert [line["outputs"] for line in half.lines(run)] == [{"y": 10 * x} for x in range(5)]
    earlier = half.json("run", "show", "-n", "half")
    assert earlier["lines"] == {"total": 5, "completed": 3, "failed": 2}


def test_a_killed_run_is_resumed(half: Project):
    earlier = Path(half.json("run", "show", "-n", "half")["path"])
    record = earlier / "run.json"
    record.write_text(record.read_text().replace('"status": "completed"', '"status": "running"', 1))
    (half.home / "flowyard.db").unlink()  # records are taken in again from the runs' folders
    lines = (earlier / "lines.jsonl").read_text().splitlines(keepends=True)
    (earlier / "lines.jsonl").write_text("".join(lines[:1]) + lines[1][:40])
    assert half.json("run", "show", "-n", "half")["status"] == "canceled"
    run = create(half, "--resume-from", "half")
    assert run["lines"]["completed"] == 5
    assert len(ran(half)) >= 4


@pytest.mark.parametrize(
    "words", [["--flow", "f"], ["--data", "data.jsonl"], ["--column-mapping", "x=${data.x}"], ["--run", "half"]]
)
def test_what_ran_cannot_be_changed(half: Project, words: list[str]):
    assert "cannot be used with" in half.run("run", "create", "--resume-from", "half", *words, code=2).stderr


def test_other_data_is_noticed(half: Project):
    half.jsonl("data.jsonl", [{"x": x} for x in range(6)])
    assert "had 5 lines and now has 6" in half.run("run", "create", "--resume-from", "half", code=2).stderr
    assert ran(half) == []


def test_values_that_are_not_stored_are_asked_for(half: Project):
    words = ["--flow", "f", "--data", "data.jsonl", "--name", "extra", "--environment-variables", "EXTRA=1"]
    create(half, *words)
    done = half.run("run", "create", "--resume-from", "extra", code=2)
    assert "--environment-variables EXTRA=…" in done.stderr
    create(half, "--resume-from", "extra", "--environment-variables", "EXTRA=1")


def test_an_unknown_run(half: Project):
    assert "Did you mean 'half'" in half.run("run", "create", "--resume-from", "halv", code=2).stderr
