"""What is left when a run is interrupted or killed, and that work goes on afterwards."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from pathlib import Path

import pytest
from functional_helper import PATIENCE_S, Project, ending, one_node_flow, read_jsonl, start_flowyard

SLOW_TOOL = """\
import time

from promptflow.core import tool


@tool
def work(x: int):
    time.sleep(0.05)
    return x
"""
STUCK_TOOL = SLOW_TOOL.replace("time.sleep(0.05)", "time.sleep(0.01 if x < 5 else 600)")
LINES = 200


def start(project: Project, tool: str, *, concurrency: int) -> subprocess.Popen[str]:
    flow = project.flow("slow", one_node_flow({"x": "int"}), work_py=tool)
    data = project.jsonl("data.jsonl", [{"x": n} for n in range(LINES)])
    args = ["run", "create", "--flow", flow, "--data", data, "--name", "slow", "--concurrency", str(concurrency)]
    return start_flowyard(*args, "--home", project.home, cwd=project.root)


def wait_for_lines(project: Project, count: int) -> Path:
    file = project.home / "runs" / "slow" / "lines.jsonl"
    until = time.monotonic() + PATIENCE_S
    while not file.exists() or file.read_bytes().count(b"\n") < count:
        assert time.monotonic() < until, "no lines were finished"
        time.sleep(0.01)
    return file


def assert_next_run_works(project: Project) -> None:
    data = project.jsonl("next.jsonl", [{"x": "after"}])
    run = project.json("run", "create", "--flow", project.echo_flow(), "--data", data, "--name", "next")
    assert run["status"] == "completed"
    assert {run["name"]: run["status"] for run in project.json("run", "list")} == {
        "next": "completed",
        "slow": "canceled",
    }


@pytest.mark.parametrize(
    ("tool", "finished", "concurrency"), [(SLOW_TOOL, 8, 1), (STUCK_TOOL, 5, 4)], ids=["short tools", "stuck tools"]
)
def test_interrupted(project: Project, tool: str, finished: int, concurrency: int):
    with ending(start(project, tool, concurrency=concurrency)) as process:
        file = wait_for_lines(project, finished)
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=PATIENCE_S) == 130
    lines = read_jsonl(file)
    assert finished <= len(lines) < LINES
    shown = project.json("run", "show", "--name", "slow")
    assert shown["status"] == "canceled"
    assert shown["lines"] == {"total": LINES, "completed": len(lines), "failed": 0}
    outputs = read_jsonl(shown["outputs"])
    assert [row["line_number"] for row in outputs] == sorted(line["line_number"] for line in lines)
    assert len(project.json("run", "show-details", "--name", "slow")) == min(len(lines), 100)
    assert_next_run_works(project)


def test_killed(project: Project):
    with ending(start(project, SLOW_TOOL, concurrency=1)) as process:
        file = wait_for_lines(project, 8)
        assert project.json("run", "show", "--name", "slow")["status"] == "running"
        process.kill()
        process.wait(timeout=PATIENCE_S)
    whole, _, torn = file.read_bytes().rpartition(b"\n")
    lines = [json.loads(line) for line in whole.splitlines()]
    assert 8 <= len(lines) < LINES
    assert len(torn) < 10_000
    shown = project.json("run", "show", "--name", "slow")
    assert shown["status"] == "canceled"
    details = project.json("run", "show-details", "--name", "slow")
    assert [line["line_number"] for line in details] == sorted(line["line_number"] for line in lines)
    assert_next_run_works(project)


def test_a_torn_last_line_is_left_out(project: Project):
    data = project.jsonl("data.jsonl", [{"x": str(n)} for n in range(3)])
    run = project.json("run", "create", "--flow", project.echo_flow(), "--data", data, "--name", "torn")
    with (Path(run["path"]) / "lines.jsonl").open("a") as file:
        file.write('{"line_number": 3, "status": "comp')
    details = project.json("run", "show-details", "--name", "torn")
    assert [line["line_number"] for line in details] == [0, 1, 2]


def test_a_canceled_run_is_not_evaluated(project: Project):
    with ending(start(project, SLOW_TOOL, concurrency=1)) as process:
        wait_for_lines(project, 2)
        process.kill()
    words = ["--run", "slow", "--column-mapping", "x=${run.outputs.out}"]
    done = project.run("run", "create", "--flow", project.echo_flow(), *words, code=2)
    assert "canceled" in done.stderr
