"""What aggregation nodes read: one value per completed line, in the order of the lines."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from flowyard.engine.runner import LineCollector
from flowyard.engine.scope import LineScope, Scope
from flowyard.flows.model import InputRef, Literal, Node, NodeRef, Value
from flowyard.records import LineResult, NodeResult

__all__ = ["AggregationInputs", "AggregationScope"]

Key = str
"""The text of a reference, the same for equal references."""


class AggregationInputs(LineCollector):
    """Collects, line by line, only the values that aggregation nodes will read.

    Lists are ordered by line number, whatever order lines finish in. Failed lines are not in them; the value of a
    bypassed node, or of a property of one, is None.
    """

    def __init__(self, nodes: Iterable[Node]) -> None:
        self._nodes = list(nodes)
        inside = {node.name for node in self._nodes}
        self._read: dict[Key, Value] = {
            repr(value): value
            for node in self._nodes
            for value in node.references()
            if isinstance(value, InputRef) or (isinstance(value, NodeRef) and value.node not in inside)
        }
        self._rows: list[tuple[int, list[Any]]] = []
        self._broken: dict[Key, LookupError] = {}

    @property
    def is_needed(self) -> bool:  # type: ignore[override]
        return bool(self._nodes)

    def pick(self, line: LineResult) -> list[Any]:
        """One value for each reference; a ``_Broken`` where the line has no such property."""
        scope = LineScope(line.inputs, {node.node: node for node in line.nodes})
        return [_value(value, scope) for value in self._read.values()]

    def add(self, line_number: int, picked: list[Any]) -> None:
        for key, value in zip(self._read, picked, strict=True):
            if isinstance(value, _Broken):
                self._broken.setdefault(key, value.error)
        self._rows.append((line_number, picked))

    def column(self, value: Value) -> list[Any]:
        """The list of one reference. Raises LookupError when a line had no such property."""
        key = repr(value)
        if key in self._broken:
            raise self._broken[key]
        place = list(self._read).index(key)
        return [values[place] for _, values in sorted(self._rows, key=lambda row: row[0])]

    def reads(self, value: Value) -> bool:
        """Whether the value comes from lines rather than from another aggregation node."""
        return repr(value) in self._read


@dataclass(frozen=True, slots=True)
class _Broken:
    """Stands for a property that one line does not have."""

    error: LookupError


def _value(value: Value, scope: LineScope) -> Any:
    try:
        return None if scope.was_bypassed(value) else scope.read(value)
    except LookupError as error:
        return _Broken(error)


class AggregationScope(Scope):
    """Lists over the lines, and single values of the aggregation nodes that are done."""

    def __init__(self, lines: AggregationInputs, done: Mapping[str, NodeResult]) -> None:
        self._lines = lines
        self._done = LineScope({}, done)

    def read(self, value: Value) -> Any:
        if isinstance(value, Literal) or not self._lines.reads(value):
            return self._done.read(value)
        return self._lines.column(value)

    def was_bypassed(self, value: Value) -> bool:
        return not self._lines.reads(value) and self._done.was_bypassed(value)
