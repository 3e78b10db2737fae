from __future__ import annotations

import itertools

from hypothesis import given, settings
from hypothesis import strategies as st

from flowyard.flows.graph import find_cycle, topological
from flowyard.flows.model import Activate, Node, NodeRef


def node(name: str, *reads: str, when: str | None = None) -> Node:
    return Node(
        name,
        "python",
        inputs={f"i{index}": NodeRef(read) for index, read in enumerate(reads)},
        activate=Activate(NodeRef(when), True) if when else None,
    )


def names(nodes: list[Node]) -> list[str]:
    return [each.name for each in nodes]


def test_file_order_is_kept_where_it_can_be() -> None:
    assert names(topological([node("c", "a"), node("b"), node("a"), node("d", "b")])) == ["b", "a", "c", "d"]


def test_activate_counts_as_reading() -> None:
    assert names(topological([node("b", when="a"), node("a")])) == ["a", "b"]
    assert find_cycle([node("a", when="b"), node("b", "a")]) == ["a", "b", "a"]


def test_circles() -> None:
    assert find_cycle([node("a"), node("b", "a")]) == []
    assert find_cycle([node("a", "a")]) == ["a", "a"]
    assert find_cycle([node("reader", "b"), node("a", "b"), node("b", "c"), node("c", "a")]) == ["b", "c", "a", "b"]


graphs = st.integers(1, 8).flatmap(
    lambda size: st.lists(st.sets(st.integers(0, size - 1), max_size=3), min_size=size, max_size=size)
)


@settings(deadline=None)
@given(graphs)
def test_order_or_circle(graph: list[set[int]]) -> None:
    nodes = [node(str(index), *map(str, reads)) for index, reads in enumerate(graph)]
    order = topological(nodes)
    seen: set[str] = set()
    for each in order:
        assert each.reads() <= seen
        seen.add(each.name)
    cycle = find_cycle(nodes)
    assert bool(cycle) == (len(order) < len(nodes))
    for name, read in itertools.pairwise(cycle):
        assert read in nodes[int(name)].reads()
