"""Flex flows that are Python objects, and flex outputs that arrive in pieces."""

from __future__ import annotations

import asyncio
import functools
import threading
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any, Literal, TypedDict

import pytest

from flowyard.engine import LineRunner, prepare
from flowyard.engine.stream import TextStream
from flowyard.errors import UserError
from flowyard.flows import FlexFlow
from flowyard.llm.connection import (
    AzureOpenAIConnection,
    Connection,
    CustomConnection,
    CustomStrongTypeConnection,
    OpenAIConnection,
)
from flowyard.llm.connections import Connections
from flowyard.llm.model_configuration import AzureOpenAIModelConfiguration, OpenAIModelConfiguration
from flowyard.llm.sources import DeclaredSource
from flowyard.records import LineResult, LineTask


def collect(collected, line):
    if line.status == "completed":
        collected.add(line.line_number, collected.pick(line))


def flow_of(target: Any, folder: Path, **declared: Any) -> FlexFlow:
    return FlexFlow(name="it", file=folder / "it.py", folder=folder, entry="it:target", target=target, **declared)


def no_provider(connection: Connection) -> Any:
    raise AssertionError("these flows call no model")


@dataclass
class Prepared:
    """Prepares objects as flows and closes what it prepared."""

    folder: Path
    runners: list[LineRunner]

    async def __call__(self, target: Any, init: Mapping[str, Any] | None = None, **declared: Any) -> LineRunner:
        known = [
            CustomConnection({"token": "t"}, {"url": "u"}, name="custom"),
            OpenAIConnection("sk-of-open-ai", "org", "https://o", name="open_ai"),
        ]
        connections = Connections([DeclaredSource(known)])
        runner = await prepare(flow_of(target, self.folder, **declared), connections, no_provider, init=init)
        self.runners.append(runner)
        return runner

    async def line(self, target: Any, init: Mapping[str, Any] | None = None, **inputs: Any) -> LineResult:
        runner = await self(target, init)
        return await runner.run_line(LineTask(0, inputs))


@pytest.fixture
async def prepared(tmp_path: Path) -> AsyncIterator[Prepared]:
    made = Prepared(tmp_path, [])
    yield made
    for runner in made.runners:
        await runner.close()


def types(runner: LineRunner) -> dict[str, tuple[str, Any, bool]]:
    return {name: (each.type, each.default, each.required) for name, each in runner.flow.inputs.items()}


class Kind(Enum):
    A = "a"


class Fields(TypedDict):
    x: int


def many(
    a: int,
    b: float,
    c: list[str],
    d: dict[str, Any],
    e: Fields,
    f: Any,
    g: str | None,
    h: Literal["x"],
    i: int | str,
    j,
    k=2.5,
    o: Kind = Kind.A,
    m: bool | None = None,
    *rest: str,
    n: str = "n",
    **more: Any,
) -> Iterator[str]:
    yield "x"


async def test_inputs_follow_the_signature(prepared: Prepared):
    runner = await prepared(many)
    assert types(runner) == {
        "a": ("int", None, True),
        "b": ("double", None, True),
        "c": ("list", None, True),
        "d": ("object", None, True),
        "e": ("object", None, True),
        "f": ("object", None, True),
        "g": ("string", None, True),
        "h": ("object", None, True),
        "i": ("object", None, True),
        "j": ("object", None, True),
        "k": ("double", 2.5, False),
        "o": ("string", None, False),
        "m": ("bool", None, False),
        "n": ("string", "n", False),
    }
    assert {name: each.type for name, each in runner.flow.outputs.items()} == {"output": "string"}


async def test_a_default_that_only_python_can_write_stays_pythons(prepared: Prepared):
    def go(kind: Kind = Kind.A):
        return kind is Kind.A

    assert (await prepared.line(go)).outputs == {"output": True}
    assert (await prepared.line(go, kind="a")).outputs == {"output": False}


async def test_none_is_a_value_of_an_optional_input_but_it_must_be_given(prepared: Prepared):
    def go(x: str | None):
        return x

    assert (await prepared.line(go, x=None)).outputs == {"output": None}
    missing = await prepared.line(go)
    assert missing.error is not None
    assert missing.error.type == "InputMissing"


@pytest.mark.parametrize("target", [Path, AzureOpenAIConnection, threading.Lock], ids=["path", "connection", "other"])
async def test_a_class_that_no_data_can_give_is_refused(prepared: Prepared, target: Any):
    def go(x):
        return x

    go.__annotations__["x"] = target if isinstance(target, type) else threading.Thread
    with pytest.raises(UserError, match="which no data can give"):
        await prepared(go)


async def test_objects_of_every_callable_kind_run(prepared: Prepared):
    class Sync:
        def __call__(self, x: int):
            return x + 1

    class Async:
        async def __call__(self, x: int):
            await asyncio.sleep(0)
            return x + 2

    async def plain(y: int, x: int):
        return y * x

    def returns_awaitable(x: int):
        return Async()(x)

    def add(y: int, x: int):
        return x + y

    assert (await prepared.line(Sync(), x="1")).outputs == {"output": 2}
    assert (await prepared.line(Async(), x="1")).outputs == {"output": 3}
    assert (await prepared.line(functools.partial(plain, 5), x="2")).outputs == {"output": 10}
    assert (await prepared.line(functools.partial(add, 5), x="2")).outputs == {"output": 7}
    assert (await prepared.line(returns_awaitable, x="1")).outputs == {"output": 3}
    assert (await prepared.line(Sync, x="1")).outputs == {"output": 2}
    assert (await prepared.line(lambda x: x, x="1")).outputs == {"output": 1}


async def test_user_code_never_runs_on_the_engines_thread(prepared: Prepared):
    engine = threading.get_ident()

    async def asynchronous():
        return threading.get_ident() != engine

    def pieces():
        yield threading.get_ident() != engine

    class Made:
        def __init__(self):
            self.elsewhere = threading.get_ident() != engine

        def __call__(self):
            return self.elsewhere and threading.get_ident() != engine

    assert (await prepared.line(asynchronous)).outputs == {"output": True}
    assert (await prepared.line(pieces)).outputs == {"output": "True"}
    assert (await prepared.line(Made)).outputs == {"output": True}


async def test_a_class_is_made_once_for_all_lines(prepared: Prepared):
    class Count:
        made = 0

        def __init__(self):
            type(self).made += 1

        def __call__(self, x: int):
            return self.made

    runner = await prepared(Count)
    lines = await asyncio.gather(*(runner.run_line(LineTask(number, {"x": 1})) for number in range(5)))
    assert [line.outputs for line in lines] == [{"output": 1}] * 5


async def read(stream: Any) -> list[Any]:
    assert isinstance(stream, TextStream)
    return [piece async for piece in stream]


async def test_streams_when_asked_for(prepared: Prepared):
    def one():
        yield "a"
        yield "b"

    async def two():
        yield "c"
        yield "d"

    def three():
        return {"text": one(), "words": iter(["e", "f"]), "plain": 1}

    for target, expected in ((one, ["a", "b"]), (two, ["c", "d"])):
        line = await (await prepared(target)).run_line(LineTask(0, {}), stream=True)
        assert await read(line.outputs["output"]) == expected
        assert line.is_bare
    line = await (await prepared(three)).run_line(LineTask(0, {}), stream=True)
    assert [await read(line.outputs[name]) for name in ("text", "words")] == [["a", "b"], ["e", "f"]]
    assert line.outputs["plain"] == 1
    assert (await prepared.line(three)).outputs == {"text": "ab", "words": "ef", "plain": 1}


async def test_aggregation_gets_results_by_line_number(prepared: Prepared):
    class Total:
        def __call__(self, x: int):
            return {"x": x}

        def __aggregate__(self, results):
            return {"order": [each.x for each in results], 3: "number"}

    runner = await prepared(Total)
    collected = runner.aggregation_inputs()
    for number in (2, 0, 1):
        collect(collected, await runner.run_line(LineTask(number, {"x": number})))
    found = await runner.run_aggregation(collected)
    assert found.metrics == {"order": [0, 1, 2], "3": "number"}
    assert found.errors == ()


async def test_an_attribute_that_a_result_lacks_is_said(prepared: Prepared):
    class Total:
        def __call__(self):
            return {"x": 1}

        async def __aggregate__(self, results):
            return {"y": results[0].y}

    runner = await prepared(Total)
    collected = runner.aggregation_inputs()
    collect(collected, await runner.run_line(LineTask(0, {})))
    found = await runner.run_aggregation(collected)
    assert [(error.type, error.message, error.node) for error in found.errors] == [
        ("AttributeError", "the outputs have no 'y'", "__aggregate__")
    ]


class Service(CustomStrongTypeConnection):
    """A connection class of the user's."""

    url: str


async def test_init_takes_connections_and_configurations_as_objects_too(prepared: Prepared):
    class Flow:
        def __init__(self, own: Service, any_of: CustomConnection, model: OpenAIModelConfiguration, **more: int):
            self.found = [type(own), own.url, any_of.token, model.model, model.base_url, model.api_key, more]

        def __call__(self):
            return self.found

    conn = CustomConnection({"token": "given"}, {}, name="object")
    init = {"own": "custom", "any_of": conn, "model": {"model": "m", "connection": "open_ai"}, "extra": 1}
    line = await prepared.line(Flow, init)
    assert line.outputs["output"] == [Service, "u", "given", "m", "https://o", "sk-of-open-ai", {"extra": 1}]
    init["model"] = OpenAIModelConfiguration("x", base_url="b", api_key="sk-own")
    assert (await prepared.line(Flow, init)).outputs["output"][3:6] == ["x", "b", "sk-own"]


async def test_unions_of_services_are_refused(prepared: Prepared):
    class Connected:
        def __init__(self, conn: OpenAIConnection | AzureOpenAIConnection):
            pass

        def __call__(self):
            return 1

    class Configured:
        def __init__(self, model: OpenAIModelConfiguration | AzureOpenAIModelConfiguration):
            pass

        def __call__(self):
            return 1

    with pytest.raises(UserError, match="one of several kinds of connection"):
        await prepared(Connected, {"conn": "open_ai"})
    with pytest.raises(UserError, match="one of several model configurations"):
        await prepared(Configured, {"model": {"model": "m"}})


async def test_a_function_takes_no_init_values(prepared: Prepared):
    with pytest.raises(UserError, match="is not a class"):
        await prepared(lambda x: x, {"a": 1})


async def test_the_prepared_flow_says_what_init_takes(prepared: Prepared):
    class Flow:
        def __init__(self, conn: CustomConnection, limit: int = 3, words: list | None = None):
            self.limit = limit

        def __call__(self):
            return self.limit

    runner = await prepared(Flow, {"conn": "custom"})
    assert isinstance(runner.flow, FlexFlow)
    found = {name: (each.type, each.default, each.required) for name, each in runner.flow.init.items()}
    assert found == {
        "conn": ("CustomConnection", None, True),
        "limit": ("int", 3, False),
        "words": ("list", None, False),
    }
