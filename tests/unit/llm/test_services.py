"""What code inside of flows shares: who it belongs to, and who counts its model calls."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from flowyard.llm import Connections, open_provider
from flowyard.llm.connection import OpenAIConnection, SimulatedConnection
from flowyard.llm.services import Services, count_usage, current_services, use_services
from flowyard.records import ModelRequest

REQUEST = ModelRequest("chat", "m", {"messages": [{"role": "user", "content": "hi"}]})


@pytest.fixture
async def services() -> AsyncIterator[Services]:
    made = Services(Connections([]), open_provider)
    yield made
    await made.close()


@pytest.fixture
def model(tmp_path: Path) -> SimulatedConnection:
    (tmp_path / "rules.yaml").write_text("rules: [{reply: one two}]\n", "utf-8")
    return SimulatedConnection(tmp_path / "rules.yaml", name="m")


async def read(chunks: AsyncIterator[Mapping[str, Any]]) -> None:
    async for _ in chunks:
        pass


def in_thread() -> Services | None:
    found: list[Services | None] = []
    thread = threading.Thread(target=lambda: found.append(current_services()))
    thread.start()
    thread.join()
    return found[0]


def test_a_thread_that_a_flow_did_not_start_gets_no_flow_s_services() -> None:
    first, second = (Services(Connections([]), open_provider) for _ in range(2))
    assert current_services() is None
    with use_services(first):
        with use_services(second):
            assert current_services() is second
            assert in_thread() is None
        assert current_services() is first
    assert current_services() is None


async def test_calls_are_counted_by_who_counts_and_by_nobody_twice(
    services: Services, model: SimulatedConnection
) -> None:
    with count_usage() as outer:
        await services.call(model, REQUEST)
        with count_usage() as inner:
            await services.call(model, REQUEST)
    await services.call(model, REQUEST)
    assert (outer.total.calls, inner.total.calls, services.unclaimed.total.calls) == (1, 1, 1)
    assert services.spent.total.calls == services.spent.total.simulated_calls == 3


async def test_a_stream_is_counted_by_who_asked_or_else_by_who_reads(
    services: Services, model: SimulatedConnection
) -> None:
    with count_usage() as asking:
        await read(services.stream(model, REQUEST))
        later = services.stream(model, REQUEST)
        last = services.stream(model, REQUEST)
    with count_usage() as reading:
        await read(later)
    await read(last)
    assert [count.total.calls for count in (asking, reading, services.unclaimed)] == [1, 1, 1]
    assert asking.total.completion_tokens == reading.total.completion_tokens == 2


async def test_a_stream_that_is_left_has_been_paid_for(services: Services, model: SimulatedConnection) -> None:
    stream: Any = services.stream(model, REQUEST)
    await anext(stream)
    await stream.aclose()
    assert (services.spent.total.calls, services.spent.total.simulated_calls) == (1, 1)


async def test_one_provider_for_the_same_connection_and_one_for_each_other(services: Services) -> None:
    plain = OpenAIConnection("key-1", name="a")
    assert services.provider(plain) is services.provider(OpenAIConnection("key-1", name="a"))
    others = [OpenAIConnection("key-2", name="a"), OpenAIConnection("key-1", base_url="http://a", name="a")]
    assert len({id(services.provider(each)) for each in (plain, *others, plain)}) == 3
