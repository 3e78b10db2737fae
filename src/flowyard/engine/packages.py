"""Package tools by their ids: our own table first, then what installed packages offer.

A package offers tools through the entry point group ``package_tools``: a function that returns ``{id: definition}``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any

from flowyard._util.promptflow_names import install_promptflow_names
from flowyard._util.suggest import did_you_mean, known_names
from flowyard.engine.signature import Parameter, parameters_of
from flowyard.engine.tool import ToolProvider
from flowyard.errors import UserError
from flowyard.flows.model import INPUT_TYPES
from flowyard.llm import connection as connection_classes
from flowyard.llm.connection import Connection
from flowyard.tools import BUILT_IN_TOOLS, RENAMED_TOOLS

__all__ = ["GIVEN", "PackageTool", "find_package_tool"]

GIVEN = ("services", "folder", "prompt", "picture_prompt")
"""Parameters of built-in tools that no flow gives: connections and HTTP, the flow's folder, and the node's prompt, as
it is or with its pictures shown."""


_BROKEN = "An installed package that offers tools cannot be imported:"


@dataclass(frozen=True, slots=True)
class PackageTool:
    """One tool: its function, whose class is ``owner`` if it is a method, and the parameters a flow may give.

    A built-in tool is an ``async`` function of ours that takes, of the names in ``GIVEN``, what it needs.
    """

    name: str
    function: Callable[..., Any]
    parameters: Mapping[str, Parameter]
    owner: type[ToolProvider] | None = None
    is_built_in: bool = False
    warnings: tuple[str, ...] = ()


def find_package_tool(name: str, where: str) -> PackageTool:
    """The tool of that id. Raises UserError naming near and known ids, or saying why its package cannot be imported."""
    current = RENAMED_TOOLS.get(name, name)
    if current in BUILT_IN_TOOLS:
        return replace(_built_in(current), warnings=_renaming(name, current, where))
    offered = _offered()
    current = offered.renamed.get(name, name) if name not in offered.definitions else name
    if current not in offered.definitions:
        raise _not_found(name, where, offered)
    warnings = (*_renaming(name, current, where), *(f"{_BROKEN} {failed}" for failed in offered.broken))
    return replace(_installed(name, offered.definitions[current], where), warnings=warnings)


def _renaming(name: str, current: str, where: str) -> tuple[str, ...]:
    return () if name == current else (f"{where}: the package tool {name!r} is called {current!r} now.",)


def _built_in(name: str) -> PackageTool:
    module, _, function_name = BUILT_IN_TOOLS[name].partition(":")
    function = getattr(import_module(module), function_name)
    parameters = {key: value for key, value in parameters_of(function).items() if key not in GIVEN}
    return PackageTool(name, function, parameters, is_built_in=True)


def _installed(name: str, definition: Mapping[str, Any], where: str) -> PackageTool:
    install_promptflow_names()
    try:
        place: Any = import_module(str(definition["module"]))
        owner = getattr(place, str(definition["class_name"])) if definition.get("class_name") else None
        function = getattr(owner or place, str(definition["function"]))
    except Exception as error:  # importing a package runs its code
        message = f"The package tool {name!r} cannot be loaded: ({type(error).__name__}) {error}"
        raise UserError(message, where=where) from error
    parameters = dict(parameters_of(function))
    if owner is not None:
        parameters |= parameters_of(owner.__init__)
    declared = definition.get("inputs") or {}
    merged = {key: _declared(parameter, declared.get(key)) for key, parameter in parameters.items()}
    return PackageTool(name, function, merged, owner)


def _declared(parameter: Parameter, spec: Any) -> Parameter:
    """A parameter with the type that the tool's YAML declares for it; of several types the first counts."""
    types = spec.get("type") if isinstance(spec, Mapping) else None
    first, *_ = types if isinstance(types, list) and types else [types]
    if first in INPUT_TYPES:
        return replace(parameter, kind=str(first))
    named = [getattr(connection_classes, str(name), None) for name in (types if isinstance(types, list) else [types])]
    classes = tuple(kind for kind in named if isinstance(kind, type) and issubclass(kind, Connection))
    if parameter.connections or not classes:
        return parameter
    return replace(parameter, kind="connection", connections=classes)


@dataclass(frozen=True, slots=True)
class _Offered:
    """What installed packages offer: definitions by id, ids by former id, and packages that could not say."""

    definitions: Mapping[str, Mapping[str, Any]]
    renamed: Mapping[str, str]
    broken: tuple[str, ...]


@lru_cache(maxsize=1)
def _offered() -> _Offered:
    install_promptflow_names()
    definitions: dict[str, Mapping[str, Any]] = {}
    broken = []
    for point in entry_points(group="package_tools"):
        try:
            definitions |= point.load()()
        except Exception as error:  # a package that fails is left out, and named when a tool is missing
            broken.append(f"{point.value} ({type(error).__name__}: {error})")
    renamed = {
        str(old): name for name, definition in definitions.items() for old in definition.get("deprecated_tools") or ()
    }
    return _Offered(definitions, renamed, tuple(broken))


def _not_found(name: str, where: str, offered: _Offered) -> UserError:
    known = [*BUILT_IN_TOOLS, *offered.definitions]
    package = name.partition(".")[0].replace("_", "-")
    hint = [did_you_mean(name, known) or f"Known tools: {known_names(sorted(known))}."]
    if package != "promptflow":
        hint.append(f"It may be part of a package to install, such as: pip install {package}")
    hint += [f"{_BROKEN} {failed}" for failed in offered.broken]
    return UserError(f"The package tool {name!r} is not installed.", hint="\n".join(hint), where=where)
