"""An experiment that is killed or interrupted goes on with ``flowyard experiment resume``."""

from __future__ import annotations

import json
import signal
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from functional_helper import Project, ending, read_jsonl, runs_of, start_flowyard, wait_until

LINES = 12
FLOW = """\
inputs: {x: {type: int}}
outputs: {out: {type: int, reference: "${work.output}"}}
nodes:
- {name: work, use_variants: true}
node_variants:
  work:
    default_variant_id: one
    variants:
"""
VARIANT = """\
      NAME: {node: {type: python, source: {type: code, path: NAME.py}, inputs: {x: "${inputs.x}"}}}
"""
WORK = """\
import time
from pathlib import Path

from promptflow.core import tool

ROOT = Path(__file__).parents[1]


@tool
def work(x: int):
    until = time.monotonic() + 120
    while (ROOT / "stop_NAME").exists() and x >= 5 and time.monotonic() < until:
        time.sleep(0.01)
    with (ROOT / "calls").open("a") as file:
        file.write(f"NAME {x}\\n")
    return x if x % SHARE else 0
"""
JUDGE = """\
import time
from pathlib import Path

ROOT = Path(__file__).parent


def judge(out: int, x: int) -> dict:
    until = time.monotonic() + 120
    while (ROOT / "stop_judge").exists() and x >= 5 and time.monotonic() < until:
        time.sleep(0.01)
    with (ROOT / "calls").open("a") as file:
        file.write(f"judge {x}\\n")
    return {"right": out == x}
"""
EXPERIMENT = """\
name: numbers
flow: flow
datasets:
- {name: rows, source: rows.jsonl, mappings: {x: "${data.x}"}}
evaluators:
- name: judge
  python: judge.py:judge
  datasets: [{name: rows, mappings: {out: "${run.outputs.out}", x: "${data.x}"}}]
gates: ["right >= 0.5"]
"""
RUN = ("experiment", "run", ".", "--concurrency", "1")


@pytest.fixture
def numbers(project: Project) -> Project:
    """An experiment of two variants; files called stop_… hold up the lines from number 5 on."""
    project.flow("flow", FLOW + VARIANT.replace("NAME", "one") + VARIANT.replace("NAME", "two"))
    for name, share in (("one", "100"), ("two", "3")):
        project.write(f"flow/{name}.py", WORK.replace("NAME", name).replace("SHARE", share))
    project.write("judge.py", JUDGE)
    project.jsonl("rows.jsonl", [{"x": x} for x in range(1, LINES + 1)])
    project.write("experiment.yaml", EXPERIMENT)
    return project


def stop(project: Project, where: str, how: signal.Signals, *words: str) -> tuple[int, str]:
    """Run until the lines of ``where`` are held up, and stop it there; returns its exit code and what it said."""
    hindrance = project.write(f"stop_{where}", "")
    before = calls(project)[f"{where} 4"]
    command = start_flowyard(*words, "--home", project.home, cwd=project.root, stderr=subprocess.PIPE)
    with ending(command) as process:
        wait_until(lambda: calls(project)[f"{where} 4"] > before, "the line", process)
        process.send_signal(how)
        said = process.communicate(timeout=60)[1]
    hindrance.unlink()
    return process.returncode, said


def calls(project: Project) -> Counter[str]:
    """How often each line was worked on, by whom."""
    file = project.root / "calls"
    return Counter(file.read_text().splitlines() if file.exists() else ())


def assert_whole(project: Project, result: Any) -> None:
    """Every line of every run is there once, and is right."""
    assert len(result["runs"]) == 2
    for run in runs_of(result):
        assert (run["status"], run["lines"]["completed"]) == ("completed", LINES)
        stored = [line["line_number"] for line in read_jsonl(Path(run["path"]) / "lines.jsonl")]
        assert sorted(stored) == list(range(LINES))
    metrics = [run["evaluations"][0]["metrics"]["right"] for run in result["runs"]]
    assert metrics == [1.0, pytest.approx(8 / LINES)]
    assert result["verdict"] == "pass"
    assert all(Path(result["reports"][name]).is_file() for name in ("html", "junit", "markdown"))
    listed = project.json("experiment", "list")
    assert [(each["key"], each["finished"]) for each in listed] == [(result["key"], True)]


def test_a_killed_experiment_goes_on(numbers: Project):
    stop(numbers, "one", signal.SIGKILL, *RUN)
    assert "nothing was run yet" in numbers.run("experiment", "gate", "numbers", code=2).stderr
    again = ("experiment", "resume", "numbers", "--concurrency", "1")
    stop(numbers, "judge", signal.SIGKILL, *again)
    stop(numbers, "two", signal.SIGKILL, *again)
    (listed,) = numbers.json("experiment", "list")
    assert not listed["finished"]
    assert "unfinished" in numbers.run("experiment", "list").stdout
    result = numbers.json(*again)
    assert result["key"] == listed["key"]
    assert_whole(numbers, result)
    worked = calls(numbers)  # what was finished, but not stored, when a kill came, is done once more
    assert all(worked[f"{name} {x}"] in (1, 2) for name in ("one", "two") for x in range(1, LINES + 1))
    done = numbers.run(*again)
    assert "nothing is left to run" in done.stderr
    assert calls(numbers) == worked


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_experiment_says_how_to_go_on(numbers: Project, how: signal.Signals):
    code, said = stop(numbers, "two", how, *RUN)
    assert code == 130
    assert "Traceback" not in said
    (words,) = [line.partition("Go on with: ")[2] for line in said.splitlines() if "Go on with: " in line]
    assert words.startswith("flowyard experiment resume numbers/")
    assert_whole(numbers, numbers.json(*words.split()[1:]))
    assert set(calls(numbers).values()) <= {1, 2}
    assert [count for call, count in calls(numbers).items() if call.startswith("one")] == [1] * LINES


def test_a_change_is_noticed(numbers: Project):
    stop(numbers, "two", signal.SIGKILL, *RUN)
    changes = {
        "flow/one.py": "the flow",
        "rows.jsonl": "the data 'rows'",
        "judge.py": "the evaluator 'judge'",
        "experiment.yaml": "experiment.yaml",
    }
    for file, what in changes.items():
        text = (numbers.root / file).read_text()
        numbers.write(file, text + "\n")
        said = numbers.run("experiment", "resume", "numbers", code=2).stderr
        assert f"began, this changed: {what}." in said
        assert "--anyway" in said
        numbers.write(file, text)
    numbers.write("experiment.yaml", EXPERIMENT.replace("0.5", "0.9"))
    done = numbers.run("experiment", "resume", "numbers", "--anyway", "--json")
    assert "this changed: experiment.yaml." in done.stderr
    assert [gate["gate"] for gate in json.loads(done.stdout)["gates"]] == ["right >= 0.9"]


def test_one_process_at_a_time(numbers: Project):
    hindrance = numbers.write("stop_one", "")
    with ending(start_flowyard(*RUN, "--home", numbers.home, cwd=numbers.root)) as process:
        wait_until(lambda: calls(numbers)["one 4"] > 0, "the line", process)
        assert "is running" in numbers.run("experiment", "resume", "numbers", code=2).stderr
        hindrance.unlink()
        assert process.wait(timeout=60) == 0
    assert {count for call, count in calls(numbers).items() if "judge" not in call} == {1}


def test_a_race_drops_the_same_after_a_kill(numbers: Project):
    rows = [{"x": x} for x in range(1, 121)]
    numbers.jsonl("rows.jsonl", rows)
    numbers.write("flow/two.py", WORK.replace("NAME", "two").replace("x if x % SHARE else 0", "-1"))
    numbers.write("experiment.yaml", EXPERIMENT + "racing: {metric: right, min_lines: 10}\n")
    undisturbed = numbers.json(*RUN, "--home", numbers.root / "other")
    (numbers.root / "calls").unlink()
    stop(numbers, "two", signal.SIGKILL, *RUN)
    resumed = numbers.json("experiment", "resume", "numbers")
    assert resumed["races"][0]["drops"] == undisturbed["races"][0]["drops"] != []
    lines = [[run["lines"] for run in runs_of(result)] for result in (undisturbed, resumed)]
    assert lines[0] == lines[1]
    for run in runs_of(resumed):
        stored = [line["line_number"] for line in read_jsonl(Path(run["path"]) / "lines.jsonl")]
        assert len(set(stored)) == len(stored) == run["lines"]["total"]
