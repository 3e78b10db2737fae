"""The parameters of a tool: declared types for literals, connections, defaults."""

from __future__ import annotations

import enum
import inspect
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from flowyard.llm.connection import Connection

__all__ = ["Parameter", "members_of", "parameters_of", "signature_of", "takes_any_name", "type_name_of"]

_PLAIN = {int: "int", float: "double", bool: "bool", str: "string", list: "list"}


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter: the type name its literals are coerced to, and the connection classes it accepts."""

    name: str
    kind: str
    optional: bool
    connections: tuple[type[Connection], ...] = ()


def parameters_of(function: Callable[..., Any]) -> Mapping[str, Parameter]:
    """The parameters of a tool by name, without ``self``, ``*args`` and ``**kwargs``."""
    return {
        name: _parameter(name, parameter)
        for name, parameter in signature_of(function).parameters.items()
        if name != "self" and parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    }


def signature_of(function: Callable[..., Any]) -> inspect.Signature:
    """The signature with annotations evaluated where they can be."""
    try:
        return inspect.signature(function, eval_str=True)
    except Exception:  # an annotation that cannot be evaluated is the user's; the code still runs
        return inspect.signature(function)


def takes_any_name(function: Callable[..., Any]) -> bool:
    """Whether the function has ``**kwargs``."""
    return any(each.kind is each.VAR_KEYWORD for each in inspect.signature(function).parameters.values())


def _parameter(name: str, parameter: inspect.Parameter) -> Parameter:
    optional = parameter.default is not parameter.empty
    annotation = parameter.annotation
    if annotation is parameter.empty:
        has_type = optional and parameter.default is not None
        return Parameter(name, _PLAIN.get(type(parameter.default), "object") if has_type else "object", optional)
    members = members_of(annotation)
    connections = tuple(member for member in members if isinstance(member, type) and issubclass(member, Connection))
    if connections and len(connections) == len(members):
        return Parameter(name, "connection", optional, connections)
    return Parameter(name, type_name_of(members[0]) if len(members) == 1 else "object", optional)


def members_of(annotation: Any) -> tuple[Any, ...]:
    """The types that an annotation allows, without None."""
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        return tuple(member for member in typing.get_args(annotation) if member is not type(None))
    return (annotation,)


def type_name_of(annotation: Any) -> str:
    """The type of flow inputs for one annotated type; ``object`` when there is no closer one."""
    if isinstance(annotation, type) and annotation in _PLAIN:
        return _PLAIN[annotation]
    if typing.get_origin(annotation) is list:
        return "list"
    if isinstance(annotation, type) and issubclass(annotation, enum.Enum):
        return "string"
    special = {"Secret": "secret", "PromptTemplate": "prompt_template", "FilePath": "file_path", "Image": "image"}
    return special.get(getattr(annotation, "__name__", ""), "object")
