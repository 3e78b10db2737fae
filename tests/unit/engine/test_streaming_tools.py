"""Tools that are asked for their output in pieces: ``@tool(streaming_option_parameter=…)``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flowyard.engine import LineRunner, prepare
from flowyard.engine.stream import TextStream
from flowyard.flows.load import load_flow
from flowyard.llm.connections import Connections
from flowyard.records import LineTask

FLOW = """\
inputs:
  x: {type: string}
outputs:
  shown: {type: string, reference: "${shown.output}"}
  read: {type: string, reference: "${read.output}"}
  reader: {type: string, reference: "${reader.output}"}
nodes:
- name: shown
  type: python
  source: {type: code, path: talk.py}
  inputs: {x: "${inputs.x}"}
- name: read
  type: python
  source: {type: code, path: talk.py}
  inputs: {x: "${inputs.x}"}
- name: reader
  type: python
  source: {type: code, path: reader.py}
  inputs: {text: "${read.output}"}
"""
TALK = """\
from promptflow.core import tool


@tool(streaming_option_parameter="stream")
%s talk(x: str, stream: bool = False):
    if not stream:
        return f"whole {x}"

    def pieces():
        yield "in "
        yield "pieces "
        yield x

    return pieces()
"""
CLASS = """\
from promptflow.core import ToolProvider, tool


class Talk(ToolProvider):
    @tool(streaming_option_parameter="as_stream")
    def talk(self, x: str, as_stream=False):
        return iter(["in ", "pieces ", x]) if as_stream else f"whole {x}"
"""
READER = """\
from promptflow.core import tool


@tool
def reader(text):
    return f"{type(text).__name__} {text}"
"""


async def run(folder: Path, *, stream: bool) -> dict[str, Any]:
    runner: LineRunner = await prepare(load_flow(folder), Connections([]), lambda _: pytest.fail("no model"))
    try:
        line = await runner.run_line(LineTask(0, {"x": "x"}), stream=stream)
        assert line.error is None
        outputs = dict(line.outputs)
        for name, value in outputs.items():
            if isinstance(value, TextStream):
                outputs[name] = [piece async for piece in value]
        return outputs
    finally:
        await runner.close()


@pytest.mark.parametrize("code", [TALK % "def", TALK % "async def", CLASS], ids=["function", "async", "method"])
async def test_only_what_an_output_alone_reads_is_asked_for_pieces(write: Callable[..., Path], code: str):
    folder = write(FLOW, talk__py=code, reader__py=READER)
    whole = {"shown": "whole x", "read": "whole x", "reader": "str whole x"}
    assert await run(folder, stream=False) == whole
    assert await run(folder, stream=True) == {**whole, "shown": ["in ", "pieces ", "x"]}


async def test_a_flow_that_sets_the_parameter_itself_is_overruled_only_where_it_is_asked(write: Callable[..., Path]):
    flow = FLOW.replace('inputs: {x: "${inputs.x}"}', 'inputs: {x: "${inputs.x}", stream: false}')
    folder = write(flow, talk__py=TALK % "def", reader__py=READER)
    assert (await run(folder, stream=True))["shown"] == ["in ", "pieces ", "x"]
    assert (await run(folder, stream=False))["shown"] == "whole x"
