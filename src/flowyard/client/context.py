"""What a caller changes in a loaded flow: connections, a variant, single values, streaming."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from flowyard.flows.model import Flow
from flowyard.flows.overrides import override_connections
from flowyard.flows.parameters import change_flow
from flowyard.flows.variants import parse_selection
from flowyard.llm.connection import Connection

__all__ = ["Changes", "FlowContext", "changes_of"]


class FlowContext:
    """How a loaded flow is called; it can be changed between calls.

    ``connections`` maps a connection's name to a connection object, or a node to what it uses instead (``{"node":
    {"connection": NAME_OR_OBJECT, "deployment_name": …}}``). ``variant`` is ``${node.variant}``. ``overrides`` maps
    paths such as ``nodes.fetch.inputs.url`` and ``environment_variables.LEVEL`` to values. With ``streaming``, outputs
    that can arrive in pieces are generators.
    """

    def __init__(
        self,
        *,
        connections: Mapping[str, Any] | None = None,
        variant: str | None = None,
        overrides: Mapping[str, Any] | None = None,
        streaming: bool | None = None,
    ) -> None:
        self.connections = dict(connections or {})
        self.variant = variant
        self.overrides = dict(overrides or {})
        self.streaming = bool(streaming)


@dataclass(frozen=True, slots=True)
class Changes:
    """A context as it was when a call began, without streaming: equal ones share a prepared flow."""

    variant: str | None = None
    connections: Mapping[str, Any] = field(default_factory=dict)
    overrides: Mapping[str, Any] = field(default_factory=dict)

    @property
    def selected(self) -> dict[str, str]:
        """The variant as ``{node: variant}``. Raises UserError."""
        return dict([parse_selection(self.variant)]) if self.variant else {}

    def declared(self) -> list[Connection]:
        """The connection objects, each under the name that nodes know it by."""
        return [*_named(self.connections), *(found for _, _, found in _objects_in_nodes(self.connections))]

    def applied(self, flow: Flow) -> Flow:
        """The flow with everything but the variant. Raises UserError, FlowInvalid."""
        by_node = {node: dict(values) for node, values in self.connections.items() if isinstance(values, Mapping)}
        for node, key, found in _objects_in_nodes(self.connections):
            by_node[node][key] = found.name
        if by_node:
            flow = override_connections(flow, by_node)
        for path, value in self.overrides.items():
            flow = change_flow(flow, path, value)
        return flow


def changes_of(context: FlowContext, connections: Mapping[str, Any] | None = None) -> Changes:
    """What a context says now, with ``connections`` over its own.

    Later changes of the context, or of objects in it, do not reach the result.
    """
    return Changes(context.variant, _frozen({**context.connections, **(connections or {})}), _frozen(context.overrides))


def _frozen(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: _copied(value) for key, value in values.items()}


def _copied(value: Any) -> Any:
    try:
        return copy.deepcopy(value)
    except Exception:  # an object that cannot be copied is the caller's to leave alone
        return value


def _named(connections: Mapping[str, Any]) -> list[Connection]:
    return [_with_name(found, name) for name, found in connections.items() if isinstance(found, Connection)]


def _objects_in_nodes(connections: Mapping[str, Any]) -> list[tuple[str, str, Connection]]:
    """Connection objects given to one node, under a name that no other connection has."""
    return [
        (node, key, _with_name(found, f"{found.name or found.type} of {node}.{key}"))
        for node, values in connections.items()
        if isinstance(values, Mapping)
        for key, found in values.items()
        if isinstance(found, Connection)
    ]


def _with_name(connection: Connection, name: str) -> Connection:
    named = copy.copy(connection)
    named.__dict__["name"] = name
    return named
