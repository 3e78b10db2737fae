"""Where a node reads from: one line, or all completed lines at once."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

from flowyard.flows.model import InputRef, Literal, NodeRef, Value
from flowyard.flows.reference import follow
from flowyard.records import NodeResult

__all__ = ["LineScope", "Scope"]


class Scope(ABC):
    """Resolves what a node's inputs and its ``activate`` refer to."""

    @abstractmethod
    def read(self, value: Value) -> Any:
        """The value. Raises LookupError saying which property does not exist."""

    @abstractmethod
    def was_bypassed(self, value: Value) -> bool:
        """Whether the value is a reference to a bypassed node."""


class LineScope(Scope):
    """The inputs of one line and the nodes that are done for it."""

    def __init__(self, inputs: Mapping[str, Any], done: Mapping[str, NodeResult]) -> None:
        self._inputs = inputs
        self._done = done

    def read(self, value: Value) -> Any:
        if isinstance(value, Literal):
            return value.value
        if isinstance(value, InputRef):
            return self._inputs[value.name]
        return follow(self._done[value.node].output, value)

    def was_bypassed(self, value: Value) -> bool:
        if not isinstance(value, NodeRef):
            return False
        found = self._done.get(value.node)
        return found is not None and found.status == "bypassed"
