"""The order of nodes, and circles among them."""

from __future__ import annotations

from collections.abc import Sequence

from flowyard.flows.model import Node

__all__ = ["find_cycle", "topological"]


def topological(nodes: Sequence[Node]) -> list[Node]:
    """The nodes so that each stands after what it reads, keeping the order of the file where it can.

    Nodes on a circle, and those that read them, are left out.
    """
    left = list(nodes)
    names = {node.name for node in nodes}
    placed: set[str] = set()
    order: list[Node] = []
    while True:
        ready = next((node for node in left if (node.reads() & names) <= placed), None)
        if ready is None:
            return order
        left.remove(ready)
        placed.add(ready.name)
        order.append(ready)


def find_cycle(nodes: Sequence[Node]) -> list[str]:
    """Names along one circle, the first repeated at the end; empty when there is none."""
    left = {node.name: node for node in nodes}
    for node in topological(nodes):
        left.pop(node.name, None)
    if not left:
        return []
    path: list[str] = []
    name = next(iter(left))
    while name not in path:
        path.append(name)
        name = next(read for read in sorted(left[name].reads()) if read in left)
    return [*path[path.index(name) :], name]
