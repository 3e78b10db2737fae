"""Python nodes: the one ``@tool`` of a file."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

from flowyard._util.suggest import did_you_mean, known_names
from flowyard.engine.code import load_tool
from flowyard.engine.nodes.pictures import with_pictures
from flowyard.engine.signature import Parameter, parameters_of, takes_any_name
from flowyard.engine.step import Step
from flowyard.engine.tool import streaming_option
from flowyard.errors import UserError
from flowyard.flows.coerce import CoercionError, coerce
from flowyard.flows.model import InputRef, Literal, Node, NodeRef
from flowyard.llm.connection import Connection, SimulatedConnection, as_declared
from flowyard.llm.connections import Connections
from flowyard.llm.services import Services

__all__ = ["misfits", "prepare_python", "resolve_literals", "step_of"]


def prepare_python(node: Node, folder: Path, services: Services) -> Step:
    """Load the node's function and resolve its literals and connections. Raises UserError."""
    assert node.source_path is not None
    function, owner = load_tool(folder / node.source_path)
    parameters = dict(parameters_of(function))
    if owner is not None:
        parameters |= parameters_of(owner.__init__)
    return step_of(node, function, owner, parameters, folder, services, {})


def step_of(
    node: Node,
    function: Callable[..., Any],
    owner: type[Any] | None,
    parameters: Mapping[str, Parameter],
    folder: Path,
    services: Services,
    given: Mapping[str, Any],
) -> Step:
    """The step of a user's function or method; ``given`` are arguments that the flow does not write. Raises UserError.

    A method's class is instantiated once, here, with the node's literals that its ``__init__`` takes.
    """
    init: dict[str, Any] = {}
    if owner is not None:
        of_class = {name: parameters[name] for name in parameters_of(owner.__init__)}
        init = resolve_literals(node, of_class, folder, services)
        init = {name: value for name, value in init.items() if name in of_class}
        _require_init(node, of_class, init)
        function = getattr(owner(**init), function.__name__)
    literals = {
        name: value for name, value in resolve_literals(node, parameters, folder, services).items() if name not in init
    }
    option = streaming_option(function)
    return Step(
        node=node,
        call=_by_name(function),
        place="code loop" if inspect.iscoroutinefunction(inspect.unwrap(function)) else "thread",
        literals={**literals, **given},
        optional=frozenset(name for name, parameter in parameters.items() if parameter.optional),
        warnings=tuple(misfits(node, parameters, takes_any=takes_any_name(function), given=given)),
        stream=_by_name(partial(function, **{option: True}), without=option) if option else None,
    )


def misfits(
    node: Node, parameters: Mapping[str, Parameter], *, takes_any: bool, given: Mapping[str, Any] = MappingProxyType({})
) -> Iterator[str]:
    """Inputs that the function does not take and parameters that nothing feeds: the call will fail."""
    for name in node.inputs:
        if name not in parameters and not takes_any:
            near = did_you_mean(name, parameters) or f"It takes: {known_names(parameters)}."
            yield f"{node.where}: node {node.name!r} has an input {name!r}, which its function does not take. {near}"
    for name, parameter in parameters.items():
        if name not in node.inputs and name not in given and not parameter.optional:
            yield f"{node.where}: node {node.name!r} gives no value for {name!r}, which its function requires."


def _by_name(function: Callable[..., Any], *, without: str | None = None) -> Callable[[dict[str, Any]], Any]:
    return lambda values: function(**{name: value for name, value in values.items() if name != without})


def resolve_literals(
    node: Node, parameters: Mapping[str, Parameter], folder: Path, services: Services
) -> dict[str, Any]:
    """The node's literal inputs of their declared types, connections fetched and pictures loaded.

    Null and empty text are left out. Raises UserError, ConnectionMissing, OutsideError.
    """
    values: dict[str, Any] = {}
    for name, value in node.inputs.items():
        if isinstance(value, Literal) and value.value not in (None, ""):
            parameter = parameters.get(name)
            given = value.value
            values[name] = given if parameter is None else _literal(node, parameter, given, services.connections)
    pictures = [name for name, parameter in parameters.items() if parameter.kind == "image"]
    holders = [name for name, parameter in parameters.items() if parameter.kind in ("list", "object")]
    values = with_pictures(node, values, holders, folder, services.urls, as_image=False)
    return with_pictures(node, values, pictures, folder, services.urls)


def _literal(node: Node, parameter: Parameter, value: Any, connections: Connections) -> Any:
    if parameter.connections:
        needed_by = f"Node {node.name!r} ({node.where})"
        found = connections.get(str(value), needed_by=needed_by, kinds=parameter.connections)
        found = as_declared(found, parameter.connections)
        if not isinstance(found, parameter.connections):
            raise _unfit_connection(node, parameter, found)
        return found
    try:
        return coerce(value, parameter.kind)
    except CoercionError as error:
        raise UserError(f"Input {parameter.name!r} of node {node.name!r}: {error}", where=node.where) from None


def _unfit_connection(node: Node, parameter: Parameter, found: Connection) -> UserError:
    kinds = [kind for kind in parameter.connections if kind is not SimulatedConnection]
    wanted = " or ".join(kind.__name__ for kind in kinds)
    if not isinstance(found, SimulatedConnection):
        message = f"Node {node.name!r} takes a {wanted} as {parameter.name!r}, but connection {found.name!r} is a "
        return UserError(f"{message}{type(found).__name__}.", where=node.where)
    variable = re.sub(r"\W", "_", str(found.name)).upper()
    return UserError(
        f"Node {node.name!r} calls a real service through the {wanted} {found.name!r}, and only models are simulated.",
        hint=f"Set that connection, which then replaces the simulated one: export {variable}_TYPE={kinds[0].TYPE} "
        f"{variable}_API_KEY=…",
        where=node.where,
    )


def _require_init(node: Node, parameters: Mapping[str, Parameter], given: Mapping[str, Any]) -> None:
    missing = [
        name
        for name, parameter in parameters.items()
        if name not in given and (not parameter.optional or isinstance(node.inputs.get(name), InputRef | NodeRef))
    ]
    if missing:
        names = ", ".join(missing)
        raise UserError(f"Node {node.name!r} must give its class literal values for: {names}.", where=node.where)
