"""Python nodes: the one ``@tool`` of a file."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from flowyard._util.suggest import did_you_mean, known_names
from flowyard.engine.code import load_tool
from flowyard.engine.signature import Parameter, parameters_of, takes_any_name
from flowyard.engine.step import Step
from flowyard.errors import UserError
from flowyard.flows.coerce import CoercionError, coerce
from flowyard.flows.model import InputRef, Literal, Node, NodeRef
from flowyard.llm.connection import Connection, CustomConnection, CustomStrongTypeConnection
from flowyard.llm.sources import Connections

__all__ = ["prepare_python"]


def prepare_python(node: Node, folder: Path, connections: Connections) -> Step:
    """Load the node's function and resolve its literals and connections. Raises UserError."""
    assert node.source_path is not None
    function, owner = load_tool(folder / node.source_path)
    parameters = dict(parameters_of(function))
    init: dict[str, Any] = {}
    if owner is not None:
        of_class = parameters_of(owner.__init__)
        init = _literals(node, of_class, connections)
        _require_init(node, of_class, init)
        function = getattr(owner(**init), function.__name__)
        parameters |= of_class
    literals = {name: value for name, value in _literals(node, parameters, connections).items() if name not in init}
    return Step(
        node=node,
        call=_by_name(function),
        is_async=inspect.iscoroutinefunction(inspect.unwrap(function)),
        literals=literals,
        optional=frozenset(name for name, parameter in parameters.items() if parameter.optional),
        warnings=tuple(_misfits(node, parameters, takes_any=takes_any_name(function))),
    )


def _misfits(node: Node, parameters: Mapping[str, Parameter], *, takes_any: bool) -> Iterator[str]:
    """Inputs that the function does not take and parameters that nothing feeds: the call will fail."""
    for name in node.inputs:
        if name not in parameters and not takes_any:
            near = did_you_mean(name, parameters) or f"It takes: {known_names(parameters)}."
            yield f"{node.where}: node {node.name!r} has an input {name!r}, which its function does not take. {near}"
    for name, parameter in parameters.items():
        if name not in node.inputs and not parameter.optional:
            yield f"{node.where}: node {node.name!r} gives no value for {name!r}, which its function requires."


def _by_name(function: Callable[..., Any]) -> Callable[[dict[str, Any]], Any]:
    return lambda values: function(**values)


def _literals(node: Node, parameters: Mapping[str, Parameter], connections: Connections) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, value in node.inputs.items():
        if isinstance(value, Literal) and value.value not in (None, ""):
            parameter = parameters.get(name)
            values[name] = value.value if parameter is None else _literal(node, parameter, value.value, connections)
    return values


def _literal(node: Node, parameter: Parameter, value: Any, connections: Connections) -> Any:
    if parameter.connections:
        found = connections.get(str(value), needed_by=f"Node {node.name!r} ({node.where})")
        found = _as_declared(found, parameter)
        if not isinstance(found, parameter.connections):
            wanted = " or ".join(kind.__name__ for kind in parameter.connections)
            raise UserError(
                f"Node {node.name!r} takes a {wanted} as {parameter.name!r}, but connection {value!r} is a "
                f"{type(found).__name__}.",
                where=node.where,
            )
        return found
    try:
        return coerce(value, parameter.kind)
    except CoercionError as error:
        raise UserError(f"Input {parameter.name!r} of node {node.name!r}: {error}", where=node.where) from None


def _as_declared(connection: Connection, parameter: Parameter) -> Connection:
    """A custom connection in the class that the user's code declares for it."""
    strong = [kind for kind in parameter.connections if issubclass(kind, CustomStrongTypeConnection)]
    if isinstance(connection, CustomConnection) and len(strong) == 1 and not isinstance(connection, tuple(strong)):
        return connection.to_strong_type(strong[0])
    return connection


def _require_init(node: Node, parameters: Mapping[str, Parameter], given: Mapping[str, Any]) -> None:
    missing = [
        name
        for name, parameter in parameters.items()
        if name not in given and (not parameter.optional or isinstance(node.inputs.get(name), InputRef | NodeRef))
    ]
    if missing:
        names = ", ".join(missing)
        raise UserError(f"Node {node.name!r} must give its class literal values for: {names}.", where=node.where)
