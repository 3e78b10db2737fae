"""A node made ready to run: what every kind of node becomes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from flowyard.flows.model import Literal as Written
from flowyard.flows.model import Node, NodeRef, Value

__all__ = ["Place", "Step"]

Place = Literal["thread", "code loop", "engine loop"]
"""Where a call runs: plain code in a thread, asynchronous user code on the flow's loop, ours on the engine's."""


@dataclass(frozen=True)
class Step:
    """One node, resolved.

    ``call`` takes the node's inputs by name and runs at ``place``. ``stream``, when there is one, takes the same inputs
    and gives the output in pieces (a generator or a ``TextStream``), for a caller who wants to see the output grow.
    ``literals`` are inputs known beforehand, already of their declared types. ``optional`` names parameters that may be
    left out when what feeds them was bypassed. ``warnings`` are about what prompt flow accepts and people rarely mean.
    """

    node: Node
    call: Callable[[dict[str, Any]], Any]
    place: Place
    literals: Mapping[str, Any]
    optional: frozenset[str] = frozenset()
    warnings: tuple[str, ...] = ()
    stream: Callable[[dict[str, Any]], Any] | None = None

    @cached_property
    def bound(self) -> tuple[tuple[str, Value], ...]:
        """The inputs that each line has values of its own for."""
        return tuple((name, value) for name, value in self.node.inputs.items() if not isinstance(value, Written))

    @cached_property
    def node_refs(self) -> tuple[NodeRef, ...]:
        """The inputs that read other nodes."""
        return tuple(value for _, value in self.bound if isinstance(value, NodeRef))
