"""Flows with different values for one variable each see their own, and afterwards all is as it was."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from flowyard.engine.environment import FlowEnvironment, resolve_variables
from flowyard.engine.host import CodeHost
from flowyard.flows import DagFlow
from flowyard.llm.connection import CustomConnection
from flowyard.llm.connections import Connections
from flowyard.llm.sources import DeclaredSource

NAME = "FLOWYARD_TEST_VARIABLE"
OTHER = "FLOWYARD_TEST_OTHER"


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv(NAME, "before")
    monkeypatch.delenv(OTHER, raising=False)
    kind, popen, values = type(os.environ), subprocess.Popen.__init__, variables()
    yield
    assert variables() == values
    assert (type(os.environ), subprocess.Popen.__init__) == (kind, popen)


def variables() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name != "PYTEST_CURRENT_TEST"}


def by_getenv() -> str | None:
    return os.getenv(NAME)


def by_iteration() -> str | None:
    return {**os.environ}.get(NAME)


def by_new_thread() -> str | None:
    found: list[str | None] = []
    thread = threading.Thread(target=lambda: found.append(os.environ.get(NAME)))
    thread.start()
    thread.join()
    return found[0]


SAY = f"import os; print(os.environ['{NAME}'])"


def by_child_process() -> str:
    return subprocess.run([sys.executable, "-c", SAY], capture_output=True, text=True, check=True).stdout.strip()


def by_thread_pool() -> str | None:
    async def go() -> str | None:
        return await asyncio.get_running_loop().run_in_executor(None, os.environ.get, NAME)

    return asyncio.run(go())


READERS = [by_getenv, by_iteration, by_new_thread, by_child_process, by_thread_pool]


async def found_by(host: CodeHost, read: Callable[[], Any]) -> Any:
    return await host.in_thread(read)


@pytest.mark.parametrize("read", READERS)
async def test_two_flows_see_their_own_values(tmp_path: Path, read: Callable[[], str | None]) -> None:
    flows = [FlowEnvironment({NAME: value}) for value in ("one", "two")]
    hosts = [CodeHost(tmp_path, 2, flow) for flow in flows] + [CodeHost(tmp_path, 2)]
    try:
        assert await asyncio.gather(*(found_by(host, read) for host in hosts * 2)) == ["one", "two", "before"] * 2
    finally:
        for host in hosts:
            host.close()
        for flow in flows:
            flow.restore()
            flow.restore()


async def test_async_code_sees_its_own_values(tmp_path: Path) -> None:
    async def read() -> str | None:
        await asyncio.sleep(0)
        return os.environ.get(NAME)

    flows = [FlowEnvironment({NAME: value}) for value in ("one", "two")]
    hosts = [CodeHost(tmp_path, 2, flow) for flow in flows]
    assert await asyncio.gather(*(host.on_loop(read) for host in hosts * 3)) == ["one", "two"] * 3
    for host, flow in zip(hosts, flows, strict=True):
        host.close()
        flow.restore()


@pytest.mark.parametrize("first_to_end", [0, 1])
def test_the_process_has_the_value_of_the_flow_that_came_first(first_to_end: int) -> None:
    flows = [FlowEnvironment({NAME: "one"}), FlowEnvironment({NAME: "two", OTHER: "only two"})]
    assert (os.environ[NAME], os.environ[OTHER]) == ("one", "only two")
    flows.pop(first_to_end).restore()
    assert os.environ[NAME] == by_child_process() == ("two" if first_to_end == 0 else "one")
    flows[0].restore()
    assert (os.environ[NAME], OTHER in os.environ) == ("before", False)


def test_what_code_sets_and_deletes() -> None:
    one, two = FlowEnvironment({NAME: "one"}), FlowEnvironment({NAME: "two"})
    with two.visible():
        os.environ[NAME] = "two changed"
        assert os.environ[NAME] == by_child_process() == "two changed"
        del os.environ[NAME]
        assert NAME not in os.environ
        assert os.environ.get(NAME) is None
        assert NAME not in list(os.environ)
        assert len(os.environ) == len(dict(os.environ))
        with pytest.raises(KeyError, match=NAME):
            os.environ[NAME]
        with pytest.raises(KeyError):
            del os.environ[NAME]
        assert os.environ.setdefault(NAME, "again") == "again"
    with one.visible():
        assert os.environ[NAME] == "one"
        assert os.environ.pop(NAME) == "one"
        assert os.environ.get(NAME, "gone") == "gone"
    one.restore()
    assert os.environ[NAME] == "again"
    two.restore()


def test_a_variable_that_no_flow_declares_is_the_process_s() -> None:
    flow = FlowEnvironment({NAME: "one"})
    with flow.visible():
        os.environ[OTHER] = "set by a tool"
    flow.restore()
    assert os.environ.pop(OTHER) == "set by a tool"


def test_what_the_program_sets_meanwhile_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    flow = FlowEnvironment({NAME: "one"})
    os.environ[NAME] = "by the program"
    with flow.visible():
        assert os.environ[NAME] == "one"
    flow.restore()
    assert os.environ[NAME] == "by the program"
    os.environ[NAME] = "before"


def test_a_variable_of_one_flow_is_not_another_s() -> None:
    one, two = FlowEnvironment({OTHER: "secret of one"}), FlowEnvironment({NAME: "two"})
    with two.visible():
        assert OTHER not in os.environ
        assert OTHER not in os.environ.copy()
        child = subprocess.run(
            [sys.executable, "-c", f"import os; print({OTHER!r} in os.environ)"], capture_output=True, check=True
        )
        assert child.stdout.strip() == b"False"
    one.restore()
    two.restore()


def test_a_sub_flow_sees_the_variables_of_its_caller() -> None:
    other, outer = FlowEnvironment({NAME: "other"}), FlowEnvironment({NAME: "outer", OTHER: "outer"})
    with outer.visible():
        inner = FlowEnvironment({OTHER: "inner"})
    with inner.visible():
        assert (os.environ[NAME], os.environ[OTHER]) == ("outer", "inner")
        assert by_child_process() == "outer"
        os.environ[NAME] = "changed by inner"
    with outer.visible():
        assert (os.environ[NAME], os.environ[OTHER]) == ("changed by inner", "outer")
    with other.visible():
        assert os.environ[NAME] == "other"
    for flow in (inner, outer, other):
        flow.restore()


def test_an_environment_that_is_given_to_a_child_is_used_as_it_is() -> None:
    flows = [FlowEnvironment({NAME: value}) for value in ("one", "two")]
    with flows[1].visible():
        env = {**os.environ, NAME: "given"}
        child = subprocess.run([sys.executable, "-c", SAY], capture_output=True, text=True, env=env, check=True)
    assert child.stdout.strip() == "given"
    for flow in flows:
        flow.restore()


def test_it_is_still_an_environment() -> None:
    flow = FlowEnvironment({NAME: "one"})
    with flow.visible():
        assert repr(NAME) in repr(os.environ)
        assert (os.environ | {OTHER: "x"})[OTHER] == "x"
        assert os.environb[NAME.encode()] == b"one" if os.supports_bytes_environ else True
        with pytest.raises(TypeError):
            os.environ[NAME] = 5  # type: ignore[assignment]
        with pytest.raises(TypeError):
            os.environ[5]  # type: ignore[index]
    flow.restore()


def test_values_become_text() -> None:
    values = {"A": "text", "B": 5, "C": True, "D": ["a", 1], "E": {"k": "v"}, "F": "", "G": "${service.url}"}
    flow = DagFlow(name="f", file=Path("flow.dag.yaml"), folder=Path(), nodes=(), environment_variables=values)
    service = CustomConnection({"token": "t"}, {"url": "http://service"}, name="service")
    assert resolve_variables(flow, Connections([DeclaredSource([service])])) == {
        **{"A": "text", "B": "5", "C": "True", "D": '["a", 1]', "E": '{"k": "v"}', "F": ""},
        "G": "http://service",
    }
