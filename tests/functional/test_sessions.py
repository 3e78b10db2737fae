"""Flow code that crashes, hangs or prints: one line is lost, never the run."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest
from functional_helper import Project, ending, failed_numbers, one_node_flow, read_jsonl, start_flowyard

MISBEHAVE = """\
import ctypes
import os
import signal
import sys
import time

from promptflow.core import tool


def hold_interpreter():
    re = __import__("re")
    re.match("(a|aa)+$", "a" * 60 + "b")


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
    "interrupt": lambda: (_ for _ in ()).throw(KeyboardInterrupt()),
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
KEPT = "worker.pid"


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
