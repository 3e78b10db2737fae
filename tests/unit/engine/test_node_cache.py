"""Results of python nodes that ask: the same code with the same inputs is not run again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flowyard.engine import prepare
from flowyard.flows.load import load_flow
from flowyard.llm import CallRules, ProviderOpener
from flowyard.llm.cache import CacheRules
from flowyard.llm.connection import CustomConnection
from flowyard.llm.connections import Connections
from flowyard.llm.sources import DeclaredSource
from flowyard.records import LineResult, LineTask

FLOW = """
    inputs:
      x: {type: object}
    outputs:
      out: {type: object, reference: "${work.output}"}
    nodes:
    - name: work
      type: python
      source: {type: code, path: work.py}
      inputs: {x: "${inputs.x}", conn: mine, factor: 2}
"""
TOOL = """
    from pathlib import Path
    from promptflow.core import tool
    from promptflow.connections import CustomConnection

    @tool
    def work(x, conn: CustomConnection, factor: int):
        count = Path(__file__).with_name("count")
        count.write_text(count.read_text() + "x" if count.exists() else "x")
        return %s
"""


class Flow:
    """A flow in a folder, run with a cache beside it."""

    def __init__(self, write: Callable[..., Path], folder: Path) -> None:
        self.write = write
        self.folder = folder
        self.connection = CustomConnection({"api_key": "secret"}, {"place": "here"}, name="mine")
        self.warnings: tuple[str, ...] = ()

    def files(self, returned: str = "[x, factor]", flow: str = FLOW) -> Flow:
        self.write(flow, work__py=TOOL % returned)
        return self

    async def ran(self, x: Any, **rules: Any) -> tuple[int, LineResult]:
        """How often the node's code ran for one line, and the line."""
        before = self._count()
        cache = CacheRules(self.folder / "cache" / "kept.sqlite", **{"nodes": frozenset({"work"}), **rules})
        connections = Connections([DeclaredSource([self.connection])])
        runner = await prepare(load_flow(self.folder), connections, ProviderOpener(CallRules(cache=cache)))
        self.warnings = runner.warnings
        try:
            line = await runner.run_line(LineTask(0, {"x": x}))
        finally:
            await runner.close()
        return self._count() - before, line

    def _count(self) -> int:
        file = self.folder / "count"
        return len(file.read_text()) if file.exists() else 0


@pytest.fixture
def flow(write: Callable[..., Path], tmp_path: Path) -> Flow:
    return Flow(write, tmp_path)


async def test_a_result_is_kept_for_the_same_inputs(flow: Flow):
    flow.files()
    value = {"a": [1, 2.5, None, "ü", True]}
    first, line = await flow.ran(value)
    second, again = await flow.ran(value)
    assert (first, second) == (1, 0)
    assert again.outputs == line.outputs == {"out": [value, 2]}
    assert (await flow.ran({"a": [1, 2.5, None, "ü", 1]}))[0] == 1, "1 is not true"


async def test_only_nodes_that_ask_are_kept(flow: Flow):
    flow.files()
    for expected in (1, 1):
        assert (await flow.ran({}, nodes=frozenset()))[0] == expected
    flow.files(flow=FLOW + "      enable_cache: true\n")
    for expected in (1, 0):
        assert (await flow.ran({}, nodes=frozenset()))[0] == expected
    assert (await flow.ran({}, off=frozenset({"work"})))[0] == 1
    assert (await flow.ran({}, mode="refresh"))[0] == 1


@pytest.mark.parametrize("change", ["code", "other code", "literal", "connection", "environment"])
async def test_what_changes_the_key(flow: Flow, change: str):
    flow.files()
    assert (await flow.ran({}))[0] == 1
    if change == "code":
        flow.files("[factor, x]")
    elif change == "other code":
        (flow.folder / "other.py").write_text("")
    elif change == "literal":
        flow.files(flow=FLOW.replace("factor: 2", "factor: 3"))
    elif change == "connection":
        flow.connection = CustomConnection({"api_key": "secret"}, {"place": "there"}, name="mine")
    else:
        flow.files(flow=FLOW + "    environment_variables: {A_VARIABLE_OF_A_TEST: b}\n")
    assert (await flow.ran({}))[0] == 1


async def test_a_new_secret_changes_nothing(flow: Flow):
    flow.files()
    assert (await flow.ran({}))[0] == 1
    flow.connection = CustomConnection({"api_key": "another"}, {"place": "here"}, name="mine")
    assert (await flow.ran({}))[0] == 0


@pytest.mark.parametrize("returned", ["(x, 1)", "{1: x}", "{'a': {2, 3}}", "object", "b'x'"])
async def test_more_than_json_is_not_kept(flow: Flow, returned: str):
    flow.files(returned)
    for _ in range(2):
        assert (await flow.ran({}))[0] == 1


async def test_a_failure_is_not_kept(flow: Flow):
    flow.files("1 / 0")
    for _ in range(2):
        count, line = await flow.ran({})
        assert (count, line.status) == (1, "failed")


async def test_names_that_cannot_be_meant_are_warned_of(flow: Flow):
    flow.files(
        flow=FLOW + "      aggregation: false\n    - name: sum\n      type: python\n      aggregation: true\n"
        "      source: {type: code, path: work.py}\n      inputs: {x: '${inputs.x}', conn: mine, factor: 2}\n"
    )
    await flow.ran({}, nodes=frozenset({"wrok", "sum", "quite_another"}))
    assert ["wrok" in warning or "'sum'" in warning for warning in flow.warnings] == [True, True]
