"""A served flow answers the same on the event loop of uvloop and on Python's own."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from functional_helper import Project, one_node_flow
from serve_helper import events, serving

PIECES = """\
import sys

from promptflow.core import tool


@tool
def work(x: str):
    yield "uvloop" if "uvloop.loop" in sys.modules else "asyncio"
    yield f" {x}"
"""
FLOW = one_node_flow({"x": "string"})


@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
def test_both_event_loops(project: Project, tmp_path: Path, loop: str):
    hidden = tmp_path / "hidden"
    hidden.mkdir()
    if loop == "asyncio":
        (hidden / "uvloop.py").write_text("raise ImportError('not installed')\n")
    flow = project.flow("pieces", FLOW, work_py=PIECES)
    path = os.pathsep.join(filter(None, [str(hidden), os.environ.get("PYTHONPATH")]))
    with serving(project, flow, env={"PYTHONPATH": path}) as ask:
        assert ask("/score", {"x": "hi"}).json() == {"out": f"{loop} hi"}
        streamed = ask("/score", {"x": "hi"}, Accept="text/event-stream").text
        assert events(streamed) == [{"out": loop}, {"out": " hi"}]
        assert ask("/score", {"y": 1}).status == 400
