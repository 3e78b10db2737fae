from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowyard.engine.aggregate import AggregationInputs, AggregationScope
from flowyard.flows.model import InputRef, Literal, Node, NodeRef, Value
from flowyard.records import LineResult, NodeResult


def collect(collected, line):
    if line.status == "completed":
        collected.add(line.line_number, collected.pick(line))


def line(number: int, status: Any = "completed", node: Any = "completed", output: Any = None) -> LineResult:
    return LineResult(number, status, {"x": number}, {}, nodes=(NodeResult("n", node, output),))


def collector(*values: Value) -> AggregationInputs:
    return AggregationInputs(
        [Node("all", "python", inputs={str(i): v for i, v in enumerate(values)}, aggregation=True)]
    )


@settings(deadline=None)
@given(st.permutations(range(12)))
def test_lists_are_in_the_order_of_lines(order: list[int]) -> None:
    collected = collector(NodeRef("n"), InputRef("x"))
    for number in order:
        collect(collected, line(number, output=number * 10))
    assert collected.column(InputRef("x")) == list(range(12))
    assert collected.column(NodeRef("n")) == [number * 10 for number in range(12)]


def test_failed_lines_are_left_out_and_bypassed_nodes_are_none() -> None:
    lines = [
        line(0, output={"k": 0}),
        line(1, "failed", output={"k": 1}),
        line(2, node="bypassed"),
        line(5, output={"k": 5}),
    ]
    random.Random(1).shuffle(lines)
    whole, part = NodeRef("n"), NodeRef("n", ("k",))
    collected = collector(whole, part, InputRef("x"))
    for each in lines:
        collect(collected, each)
    assert collected.column(whole) == [{"k": 0}, None, {"k": 5}]
    assert collected.column(part) == [0, None, 5]
    assert collected.column(InputRef("x")) == [0, 2, 5]


def test_a_property_that_a_line_lacks_is_an_error_of_its_reader_only() -> None:
    whole, part = NodeRef("n"), NodeRef("n", ("k",), "${n.output.k}")
    collected = collector(whole, part)
    collect(collected, line(0, output={}))
    assert collected.column(whole) == [{}]
    with pytest.raises(LookupError, match=r"\$\{n\.output\.k\}"):
        collected.column(part)


def test_no_lines_give_empty_lists() -> None:
    assert collector(InputRef("x")).column(InputRef("x")) == []


def test_other_aggregation_nodes_give_single_values() -> None:
    nodes = [
        Node("first", "python", inputs={"v": InputRef("x")}, aggregation=True),
        Node("second", "python", inputs={"v": NodeRef("first"), "lit": Literal(3)}, aggregation=True),
    ]
    collected = AggregationInputs(nodes)
    collect(collected, line(0))
    scope = AggregationScope(collected, {"first": NodeResult("first", "completed", "value")})
    assert (scope.read(NodeRef("first")), scope.read(Literal(3)), scope.read(InputRef("x"))) == ("value", 3, [0])
    off = AggregationScope(collected, {"first": NodeResult("first", "bypassed")})
    assert off.was_bypassed(NodeRef("first"))
    assert not off.was_bypassed(InputRef("x"))
