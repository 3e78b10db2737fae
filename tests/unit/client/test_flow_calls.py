"""A loaded flow is prepared once for each way of calling it, from wherever it is called."""

from __future__ import annotations

import asyncio
import gc
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from client_flows import times_loaded, write_flow

from flowyard.client import AsyncFlow, FlowContext, load_flow
from flowyard.client.exceptions import InvalidFlowError, NotSupported, ToolExecutionError, UserErrorException
from flowyard.llm.connection import CustomConnection

LETTERS = """\
outputs:
  letters: {type: string, reference: "${spell.output}"}
nodes:
- {name: spell, type: python, source: {type: code, path: spell.py}}
"""

SPELL = """\
from promptflow.core import tool


@tool
def spell():
    for letter in "abc":
        yield letter
    raise ValueError("no more letters")
"""

CONNECTED = """\
inputs:
  x: {type: string}
outputs:
  y: {type: string, reference: "${work.output}"}
nodes:
- {name: work, type: python, source: {type: code, path: work.py}, inputs: {x: "${inputs.x}", conn: my_service}}
"""

CONNECTED_WORK = """\
from promptflow.connections import CustomConnection
from promptflow.core import tool


@tool
def work(x: str, conn: CustomConnection):
    return x + conn.key
"""

OUTER = """\
inputs:
  x: {type: string}
outputs:
  y: {type: string, reference: "${call.output}"}
nodes:
- {name: call, type: python, source: {type: code, path: call.py}, inputs: {x: "${inputs.x}"}}
"""

OUTER_CALL = """\
from promptflow.client import load_flow
from promptflow.core import tool

at_import = load_flow("../repeat")(x="i")["y"]


@tool
def call(x: str):
    return at_import + load_flow("../repeat")(x=x)["y"]
"""


def test_many_calls_prepare_once(repeat: Path) -> None:
    flow = load_flow(repeat)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda n: flow(x=str(n))["y"], range(20)))
    assert answers == [str(n) * 2 for n in range(20)]
    assert times_loaded(repeat) == 1


def test_each_context_is_prepared_once(repeat: Path) -> None:
    flow = load_flow(repeat)
    for _ in range(3):
        flow.context = FlowContext(overrides={"nodes.work.inputs.n": 3})
        assert flow(x="a") == {"y": "aaa"}
        flow.context.overrides = {"environment_variables.PREFIX": ">"}
        assert flow(x="a") == {"y": ">aa"}
    assert times_loaded(repeat) == 2


def test_contexts_that_are_not_used_any_more_are_closed(repeat: Path) -> None:
    flow = load_flow(repeat)
    for n in range(20):
        flow.context.overrides = {"nodes.work.inputs.n": n}
        assert flow(x="a") == {"y": "a" * n}
    assert len(flow._prepared._kept) == 8
    flow.context.overrides = {"nodes.work.inputs.n": 0}
    assert flow(x="a") == {"y": ""}
    assert times_loaded(repeat) == 21


def test_a_failed_preparation_is_tried_again(repeat: Path) -> None:
    flow = load_flow(repeat)
    work = (repeat / "work.py").read_text("utf-8")
    (repeat / "work.py").write_text("import nothing_of_that_name\n", "utf-8")
    for _ in range(2):
        with pytest.raises(UserErrorException, match="nothing_of_that_name"):
            flow(x="a")
    (repeat / "work.py").write_text(work, "utf-8")
    assert flow(x="a") == {"y": "aa"}


def test_a_path_is_relative_to_the_callers_folder(repeat: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(repeat.parent)
    flow = load_flow("repeat")
    monkeypatch.chdir("/")
    assert flow(x="a") == {"y": "aa"}
    assert flow.code == repeat


async def test_calls_inside_a_running_loop(repeat: Path) -> None:
    awaited = AsyncFlow.load(repeat)
    answers = await asyncio.gather(*[awaited(x=str(n)) for n in range(5)])
    assert [answer["y"] for answer in answers] == ["00", "11", "22", "33", "44"]
    assert load_flow(repeat)(x="b") == {"y": "bb"}


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"overrides": {"nodes.wrok.inputs.n": 1}}, "'wrok'"),
        ({"overrides": {"nodes.work.type": "llm"}}, "nodes.work.type"),
        ({"overrides": {"outputs.y": 1}}, "outputs.y"),
        ({"variant": "${work.variant_1}"}, "variant"),
        ({"connections": {"nobody": {"connection": "x"}}}, "nobody"),
    ],
)
def test_a_context_that_does_not_fit_is_said(repeat: Path, changes: dict[str, object], says: str) -> None:
    flow = load_flow(repeat)
    flow.context = FlowContext(**changes)  # type: ignore[arg-type]
    with pytest.raises(InvalidFlowError, match=says):
        flow(x="a")


def test_what_is_not_a_path_is_refused() -> None:
    with pytest.raises(NotSupported), Path(__file__).open() as file:
        load_flow(file)  # type: ignore[arg-type]


def test_connection_objects_go_over_everything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_SERVICE", '{"type": "custom", "secrets": {"key": "of the environment"}}')
    flow = load_flow(write_flow(tmp_path / "connected", CONNECTED, work=CONNECTED_WORK))
    assert flow(x="") == {"y": "of the environment"}
    given = CustomConnection({"key": "given"})
    flow.context = FlowContext(connections={"my_service": given})
    assert flow(x="") == {"y": "given"}
    flow.context = FlowContext(connections={"work": {"conn": CustomConnection({"key": "of the node"})}})
    assert flow(x="") == {"y": "of the node"}
    given.key = "changed"
    flow.context = FlowContext(connections={"my_service": given})
    assert flow(x="") == {"y": "changed"}


def test_a_stream_outlives_the_flow_it_came_from(tmp_path: Path) -> None:
    folder = write_flow(tmp_path / "letters", LETTERS, spell=SPELL)
    flow = load_flow(folder)
    flow.context.streaming = True
    letters = flow()["letters"]
    del flow
    gc.collect()
    read = []
    with pytest.raises(ValueError, match="no more letters"):
        read.extend(letters)
    assert [*map(str, read)] in ([], ["a", "b", "c"])


def test_a_failing_stream_that_is_not_asked_for_fails_the_call(tmp_path: Path) -> None:
    flow = load_flow(write_flow(tmp_path / "letters", LETTERS, spell=SPELL))
    with pytest.raises(ToolExecutionError, match="no more letters"):
        flow()


def test_a_sub_flow_is_prepared_once_for_all_calls(repeat: Path, tmp_path: Path) -> None:
    outer = load_flow(write_flow(tmp_path / "outer", OUTER, call=OUTER_CALL))
    assert [outer(x=x)["y"] for x in "ab"] == ["iiaa", "iibb"]
    assert times_loaded(repeat) == 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_a_forked_child_calls_the_flow(repeat: Path, tmp_path: Path) -> None:
    flow = load_flow(repeat)
    flow(x="before")
    child = os.fork()
    if child == 0:
        try:
            (tmp_path / "child.txt").write_text(flow(x="c")["y"], "utf-8")
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    assert (tmp_path / "child.txt").read_text("utf-8") == "cc"
    assert flow(x="after") == {"y": "afterafter"}
