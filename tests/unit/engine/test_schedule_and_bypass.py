from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowyard.engine.activate import is_bypassed
from flowyard.engine.schedule import Plan
from flowyard.engine.scope import LineScope
from flowyard.engine.step import Step
from flowyard.flows.model import Activate, InputRef, Literal, Node, NodeRef, Value
from flowyard.records import ErrorRecord, NodeResult

OFF = NodeResult("off", "bypassed")
ON = NodeResult("on", "completed", {"k": 1})


def bypassed(inputs: Mapping[str, Value], activate: Activate | None = None, **flow_inputs: Any) -> bool:
    node = Node("n", "python", inputs=inputs, activate=activate)
    return is_bypassed(node, LineScope(flow_inputs, {"off": OFF, "on": ON}))


@pytest.mark.parametrize(
    ("inputs", "expected"),
    [
        ([], False),
        ([Literal(1)], False),
        ([InputRef("x")], False),
        ([NodeRef("on")], False),
        ([NodeRef("off")], True),
        ([NodeRef("off", ("k",))], True),
        ([NodeRef("off"), InputRef("x"), Literal(1)], True),
        ([NodeRef("off"), NodeRef("on")], False),
    ],
)
def test_without_activate(inputs: list[Value], expected: bool) -> None:
    assert bypassed({str(index): value for index, value in enumerate(inputs)}, x=1) is expected


@pytest.mark.parametrize(
    ("when", "equals", "expected"),
    [
        (NodeRef("off"), None, True),
        (NodeRef("on", ("k",)), 1, False),
        (NodeRef("on", ("k",)), True, False),
        (NodeRef("on", ("k",)), "1", True),
        (InputRef("x"), True, True),
        (InputRef("x"), "true", False),
        (Literal(5), 5, False),
        (Literal(None), None, False),
    ],
)
def test_with_activate(when: Value, equals: Any, expected: bool) -> None:
    assert bypassed({"a": NodeRef("off")}, Activate(when, equals), x="true") is expected


def step(name: str, *reads: str) -> Step:
    node = Node(name, "python", inputs={read: NodeRef(read) for read in reads})
    return Step(node, lambda values: None, place="engine loop", literals={})


async def complete(each: Step, done: Mapping[str, NodeResult]) -> NodeResult:
    await asyncio.sleep(0)
    return NodeResult(each.node.name, "completed", sorted(done))


async def fail_b(each: Step, done: Mapping[str, NodeResult]) -> NodeResult:
    if each.node.name == "b":
        return NodeResult("b", "failed", error=ErrorRecord("E", "m"))
    return await complete(each, done)


async def test_independent_nodes_run_at_once() -> None:
    arrived = 0
    together = asyncio.Event()

    async def meet(each: Step, done: Mapping[str, NodeResult]) -> NodeResult:
        nonlocal arrived
        arrived += 1
        if arrived == 3:
            together.set()
        await asyncio.wait_for(together.wait(), 5)
        return NodeResult(each.node.name, "completed")

    results = await Plan([step("a"), step("b"), step("c")]).run(meet)
    assert {result.status for result in results.values()} == {"completed"}


async def test_a_node_starts_before_unrelated_ones_end() -> None:
    started = asyncio.Event()

    async def run(each: Step, done: Mapping[str, NodeResult]) -> NodeResult:
        if each.node.name == "slow":
            await asyncio.wait_for(started.wait(), 5)
        if each.node.name == "next":
            started.set()
        return NodeResult(each.node.name, "completed")

    results = await Plan([step("slow"), step("quick"), step("next", "quick")]).run(run)
    assert [result.status for result in results.values()] == ["completed"] * 3


async def test_the_first_failure_stops_the_line() -> None:
    canceled = asyncio.Event()

    async def run(each: Step, done: Mapping[str, NodeResult]) -> NodeResult:
        if each.node.name == "endless":
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                canceled.set()
                raise
        return await fail_b(each, done)

    results = await Plan([step("a"), step("b", "a"), step("endless"), step("c", "b")]).run(run)
    statuses = {name: result.status for name, result in results.items()}
    assert statuses == {"a": "completed", "b": "failed", "endless": "canceled", "c": "canceled"}
    await asyncio.wait_for(canceled.wait(), 5)


async def test_aggregation_goes_on_beside_a_failure() -> None:
    steps = [step("a"), step("b", "a"), step("c", "b"), step("d", "a"), step("e", "d", "c")]
    results = await Plan(steps).run(fail_b, stop_at_failure=False)
    assert [result.status for result in results.values()] == [
        "completed",
        "failed",
        "canceled",
        "completed",
        "canceled",
    ]


async def test_references_outside_the_graph_do_not_block() -> None:
    results = await Plan([step("a", "elsewhere")]).run(complete)
    assert results["a"].status == "completed"


@settings(deadline=None)
@given(st.lists(st.sets(st.integers(0, 20), max_size=4), max_size=12))
def test_every_node_runs_once_after_all_it_reads(graph: list[set[int]]) -> None:
    reads = [{read for read in wanted if read < index} for index, wanted in enumerate(graph)]
    steps = [step(str(index), *map(str, wanted)) for index, wanted in enumerate(reads)]
    results = asyncio.run(Plan(steps[::-1]).run(complete))
    assert list(results) == [each.node.name for each in steps[::-1]]
    for index, wanted in enumerate(reads):
        assert set(map(str, wanted)) <= set(results[str(index)].output)
