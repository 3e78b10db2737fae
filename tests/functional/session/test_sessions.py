"""Flow code that crashes, hangs or prints: one line is lost, never the run."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest
from functional_helper import ECHO_TOOL, PATIENCE_S, Project, ending, one_node_flow, start_flowyard, wait_until

MISBEHAVE = """\
import asyncio
import ctypes
import os
import re
import signal
import sys
import time

from promptflow.core import tool


def raises(error):
    raise error


def hold_interpreter():
    re.match("(a|aa)+$", "a" * 60 + "b")  # tries for years, and lets no other thread run meanwhile


def fork_and_die():
    if os.fork() == 0:
        os.closerange(0, 3)
        for _ in range(900):
            time.sleep(0.1)
            if os.path.exists("stop"):
                break
        os._exit(0)
    os.kill(os.getpid(), signal.SIGKILL)


HOW = {
    "exit": lambda: os._exit(7),
    "segfault": lambda: ctypes.string_at(0),
    "kill": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "fork": fork_and_die,
    "sys.exit": lambda: sys.exit(3),
    "interrupt": lambda: raises(KeyboardInterrupt()),
    "canceled": lambda: raises(asyncio.CancelledError()),
    "sleep": lambda: time.sleep(600),
    "spin": lambda: [None for _ in iter(int, 1)],
    "hold": hold_interpreter,
    "slow": lambda: time.sleep(0.05),
    "crash slowly": lambda: (time.sleep(0.4), os._exit(9)),
}


@tool
def work(x: int, how: str):
    if how:
        HOW[how]()
    return x
"""
FLOW = one_node_flow({"x": "int", "how": "string"})


def rows(count: int, bad: Mapping[int, str], else_: str = "") -> list[dict[str, Any]]:
    return [{"x": x, "how": bad.get(x, else_)} for x in range(count)]


def run(project: Project, lines: Iterable[Any], *words: str, code: int = 1, tool: str = MISBEHAVE) -> Any:
    flow = project.flow("f", FLOW, work_py=tool)
    data = project.jsonl("data.jsonl", lines)
    return project.json("run", "create", "--flow", flow, "--data", data, *words, code=code)


def errors(project: Project, made: Mapping[str, Any]) -> dict[int, tuple[str, str]]:
    """Why each failed line failed. Each line of the run must be there once."""
    lines = project.lines(made)
    assert [line["line_number"] for line in lines] == list(range(made["lines"]["total"]))
    for line in lines:
        assert line["status"] == "failed" or line["outputs"] == {"out": line["inputs"]["x"]}
    return {
        line["line_number"]: (line["error"]["type"], line["error"]["message"])
        for line in lines
        if line["status"] == "failed"
    }


def test_a_crash_costs_its_line(project: Project):
    made = run(project, rows(8, {1: "exit", 3: "segfault", 5: "kill", 6: "fork"}), "--concurrency", "1")
    project.write("f/stop", "")
    assert errors(project, made) == {
        1: crashed("it exited with code 7"),
        3: crashed("it was ended by SIGSEGV"),
        5: crashed("it was ended by SIGKILL"),
        6: crashed("it was ended by SIGKILL"),
    }
    assert made["lines"] == {"total": 8, "completed": 4, "failed": 4}
    shown = project.run("run", "show", "-n", made["name"])
    assert "WorkerCrashed: The process that ran this line ended: it exited with code 7." in shown.stderr


def crashed(how: str) -> tuple[str, str]:
    return "WorkerCrashed", f"The process that ran this line ended: {how}."


def test_lines_beside_a_crash_are_not_blamed(project: Project):
    """The slow crash is suspected together with others, and others are given out while it is tried alone."""
    bad = {9: "exit", 17: "crash slowly"}
    made = run(project, rows(60, bad, "slow"), "--workers", "2", "--concurrency", "8")
    assert errors(project, made) == {9: crashed("it exited with code 7"), 17: crashed("it exited with code 9")}


def test_every_line_crashes(project: Project):
    made = run(project, rows(3, {}, "exit"), "--concurrency", "2")
    assert errors(project, made) == dict.fromkeys(range(3), crashed("it exited with code 7"))


@pytest.mark.parametrize("define", ["def", "async def"])
def test_what_ends_programs_ends_a_line(project: Project, define: str):
    bad = {1: "sys.exit", 3: "interrupt", 4: "canceled"}
    made = run(project, rows(8, bad), tool=MISBEHAVE.replace("def work", f"{define} work"))
    assert {number: error[0] for number, error in errors(project, made).items()} == {
        1: "SystemExit",
        3: "KeyboardInterrupt",
        4: "CancelledError",
    }


TIMED_OUT = ("LineTimeout", "The line took longer than 2 s and was given up.")


@pytest.mark.parametrize(
    ("tool", "bad"),
    [
        (MISBEHAVE, {1: "sleep", 2: "spin"}),
        (MISBEHAVE, {2: "hold"}),
        (MISBEHAVE.replace("def work", "async def work"), {1: "await", 3: "stubborn"}),
        (MISBEHAVE.replace("def work", "async def work"), {2: "sleep"}),
    ],
    ids=["blocking threads", "holding the interpreter", "awaiting", "blocking the event loop"],
)
def test_a_line_past_its_time(project: Project, tool: str, bad: dict[int, str]):
    tool = tool.replace("    if how:", AWAITING if "async def" in tool else "    if how:")
    made = run(project, rows(8, bad), "--line-timeout", "2", tool=tool)
    assert errors(project, made) == dict.fromkeys(bad, TIMED_OUT)


AWAITING = """\
    import asyncio

    while how in ("await", "stubborn"):
        try:
            await asyncio.sleep(600)
        except asyncio.CancelledError:
            if how == "await":
                raise
    if how:"""


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_worker_that_dies_while_it_prepares(project: Project, workers: str):
    tool = MISBEHAVE + "\n\nos._exit(4)\n"
    flow = project.flow("f", FLOW, work_py=tool)
    data = project.jsonl("data.jsonl", rows(3, {}))
    done = project.run("run", "create", "--flow", flow, "--data", data, "--workers", workers, code=5)
    assert "Error: The worker process ended: it exited with code 4." in done.stderr
    assert not (project.home / "runs").exists()


def test_prints_go_to_standard_error(project: Project):
    tool = ECHO_TOOL.replace("    return x", PRINTING)
    flow = project.flow("f", one_node_flow({"x": "string"}), work_py=tool)
    data = project.jsonl("data.jsonl", [{"x": "one"}])
    done = project.run("run", "create", "--flow", flow, "--data", data, "--json")
    assert json.loads(done.stdout)["status"] == "completed"
    assert {"printed one", "written one", "child one", "read ''"} <= set(done.stderr.splitlines())


PRINTING = """\
    import os
    import subprocess
    import sys

    print("printed", x, flush=True)
    os.write(1, f"written {x}\\n".encode())
    subprocess.run([sys.executable, "-c", f"print('child {x}')"], check=True)
    print(f"read {sys.stdin.read()!r}", flush=True)
    return x"""

AGGREGATING = """\
inputs: {x: {type: int}, how: {type: string}}
outputs: {y: {type: int, reference: "${point.output.y}"}}
nodes:
- name: point
  type: python
  source: {type: code, path: point.py}
  inputs: {x: "${inputs.x}", how: "${inputs.how}"}
- name: total
  type: python
  source: {type: code, path: total.py}
  inputs: {xs: "${inputs.x}", points: "${point.output}"}
  aggregation: true
"""
POINT = """\
import os
import time
from dataclasses import dataclass
from pathlib import Path

from promptflow.core import tool
from shapes import Size

WORKERS = Path("workers")


@dataclass
class Point:
    x: int
    y: int
    size: Size


@tool
def point(x: int, how: str) -> Point:
    WORKERS.mkdir(exist_ok=True)
    (WORKERS / str(os.getpid())).touch()
    until = time.monotonic() + 60
    while len(list(WORKERS.iterdir())) < 2 and time.monotonic() < until:  # each worker has lines
        time.sleep(0.01)
    if how:
        os._exit(7)
    return Point(x, 2 * x, Size(x))
"""
TOTAL = """\
import os

from promptflow.core import log_metric, tool


@tool
def total(xs: list, points: list):
    if os.environ.get("TOTAL") == "exit":
        os._exit(6)
    log_metric("xs", xs)
    log_metric("ys", [point["y"] if isinstance(point, dict) else point.y for point in points])
    log_metric("kinds", sorted({type(point).__name__ for point in points}))
    log_metric("sizes", sorted({type(point.size).__name__ for point in points if hasattr(point, "size")}))
"""
SHAPES = """\
class Size:
    def __init__(self, value):
        self.value = value
"""


def aggregate(project: Project, lines: Iterable[Any], *words: str, code: int = 0) -> Any:
    flow = project.flow("total", AGGREGATING, point_py=POINT, total_py=TOTAL, shapes_py=SHAPES)
    data = project.jsonl("data.jsonl", lines)
    return project.json("run", "create", "--flow", flow, "--data", data, "--workers", "2", *words, code=code)


def test_aggregation_over_several_workers(project: Project):
    made = aggregate(project, rows(40, {}), "--concurrency", "8")
    xs = list(range(40))
    ys = [2 * x for x in xs]
    assert made["metrics"] == {"xs": xs, "ys": ys, "kinds": ["Point"], "sizes": ["Size"]}


def test_aggregation_after_a_crash(project: Project):
    """Of the lines of a worker that is gone, their stored form is aggregated; the last line is one that crashes."""
    made = aggregate(project, rows(31, {10: "exit", 30: "exit"}), "--concurrency", "8", code=1)
    left = [x for x in range(31) if x not in (10, 30)]
    assert made["metrics"]["xs"] == left
    assert made["metrics"]["ys"] == [2 * x for x in left]
    assert made["errors"] == []


def test_a_crash_during_aggregation(project: Project):
    words = ["--concurrency", "8", "--environment-variables", "TOTAL=exit"]
    made = aggregate(project, rows(30, {}), *words, code=1)
    assert made["lines"] == {"total": 30, "completed": 30, "failed": 0}
    assert made["errors"][0]["type"] == "WorkerCrashed"
    assert "it exited with code 6" in made["errors"][0]["message"]


LEAVING = """\
    if how:
        with open("pids", "a") as file:
            file.write(f"{os.getpid()}\\n")
        while len(open("pids").read().split()) < 2:
            time.sleep(0.01)
        HOW[how]()"""


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="processes are looked at in /proc")
@pytest.mark.parametrize("how", ["sleep", "hold"])
def test_workers_end_with_their_parent(project: Project, how: str):
    tool = MISBEHAVE.replace("    if how:\n        HOW[how]()", LEAVING)
    project.flow("f", FLOW, work_py=tool)
    project.jsonl("data.jsonl", rows(6, {}, how))
    words = ["run", "create", "--flow", "f", "--data", "data.jsonl", "--workers", "2", "--concurrency", "2"]
    with ending(start_flowyard(*words, "--home", project.home, cwd=project.root)) as process:
        pids = wait_until(lambda: whole_pids(project.root / "f" / "pids"))
        process.send_signal(signal.SIGKILL)
        process.wait(timeout=PATIENCE_S)
    wait_until(lambda: not any(map(is_alive, pids)))


def whole_pids(file: Path) -> list[int] | None:
    text = file.read_text() if file.exists() else ""
    return [int(pid) for pid in text.split()] if text.count("\n") == 2 else None


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in "ZX"
