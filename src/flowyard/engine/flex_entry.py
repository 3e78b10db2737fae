"""The function, class or object behind a flex flow: finding it, and what its signature says."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import types
import typing
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from types import ModuleType
from typing import Any

from flowyard._util.suggest import did_you_mean, known_names
from flowyard.engine.code import import_failure
from flowyard.engine.signature import members_of, signature_of, type_name_of
from flowyard.errors import UserError
from flowyard.flows.model import FlexFlow

__all__ = ["AGGREGATE", "FlexEntry", "Parameter", "load_entry", "load_function", "named_fields"]

AGGREGATE = "__aggregate__"
LINE_NUMBER = "line_number"
_PASSED_BY_NAME = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of the user's code, as Python declares it; ``annotation`` and ``default`` may be ``empty``."""

    name: str
    annotation: Any
    default: Any

    @property
    def has_default(self) -> bool:
        return self.default is not inspect.Parameter.empty

    @property
    def is_annotated(self) -> bool:
        return self.annotation is not inspect.Parameter.empty

    @property
    def takes_none(self) -> bool:
        """Whether the annotation says that None is a value."""
        union = typing.get_origin(self.annotation) in (typing.Union, types.UnionType)
        return union and type(None) in typing.get_args(self.annotation)

    @property
    def members(self) -> tuple[Any, ...]:
        """The types that the annotation allows, without None."""
        return members_of(self.annotation)

    @property
    def kind(self) -> str | None:
        """The type of flow inputs that fits; None for a class that no data can give."""
        if not self.is_annotated:
            is_plain = self.has_default and self.default is not None
            return type_name_of(type(self.default)) if is_plain else "object"
        if len(self.members) != 1:
            return "object"
        return type_name_of(self.members[0]) if _comes_from_data(self.members[0]) else None


def _comes_from_data(annotation: Any) -> bool:
    if annotation is Any or not isinstance(annotation, type):
        origin = typing.get_origin(annotation)
        return origin is None or not isinstance(origin, type) or _comes_from_data(origin)
    if annotation.__module__ in ("builtins", "collections.abc", "typing"):
        return True
    return issubclass(annotation, str | int | float | dict | list | tuple | Enum)


@dataclass(frozen=True, slots=True)
class FlexEntry:
    """The code of a flow: ``target`` is a function, a class with ``__call__``, or any other callable object."""

    target: Any
    label: str
    where: str

    @property
    def is_class(self) -> bool:
        return isinstance(self.target, type)

    @property
    def parameters(self) -> Mapping[str, Parameter]:
        """What a call takes by name, without ``line_number``. Raises UserError for what cannot be passed by name."""
        found = self._parameters(self.target.__call__ if self.is_class else self.target, bound=not self.is_class)
        return {name: parameter for name, parameter in found.items() if name != LINE_NUMBER}

    @property
    def takes_line_number(self) -> bool:
        """Whether a call wants the number of its line."""
        function = self.target.__call__ if self.is_class else self.target
        return LINE_NUMBER in signature_of(function).parameters

    @property
    def init_parameters(self) -> Mapping[str, Parameter]:
        """What the class is made with; nothing for other callables."""
        if not self.is_class or self.target.__init__ is object.__init__:
            return {}
        return self._parameters(self.target.__init__, bound=False)

    @property
    def returns(self) -> Any:
        """The return annotation; ``Signature.empty`` without one."""
        return signature_of(self.target.__call__ if self.is_class else self.target).return_annotation

    @property
    def takes_any_init(self) -> bool:
        """Whether ``__init__`` has ``**kwargs``."""
        if not self.is_class or self.target.__init__ is object.__init__:
            return False
        kinds = [each.kind for each in signature_of(self.target.__init__).parameters.values()]
        return inspect.Parameter.VAR_KEYWORD in kinds

    def require_aggregate_fits(self) -> None:
        """Raise UserError unless ``__aggregate__``, if there is one, takes the results and nothing else."""
        function = getattr(self.target, AGGREGATE, None)
        if function is None or inspect.isfunction(self.target):
            return
        names = list(signature_of(function).parameters)[1 if self.is_class else 0 :]
        if len(names) != 1:
            raise UserError(
                f"{self.label}.{AGGREGATE} must take exactly one parameter, the list of results; it takes "
                f"{known_names(names)}.",
                where=self.where,
            )

    def _parameters(self, function: Callable[..., Any], *, bound: bool) -> dict[str, Parameter]:
        listed = list(signature_of(function).parameters.values())[0 if bound else 1 :]
        unnamed = [each.name for each in listed if each.kind is each.POSITIONAL_ONLY]
        if unnamed:
            message = f"{self.label} takes {known_names(unnamed)} by position only; a flow passes values by name."
            raise UserError(message, hint="Take the '/' out of the signature.", where=self.where)
        return {
            each.name: Parameter(each.name, each.annotation, each.default)
            for each in listed
            if each.kind in _PASSED_BY_NAME
        }


def load_entry(flow: FlexFlow) -> FlexEntry:
    """Find the code of a flow, importing it if need be. Raises UserError with file:line.

    Call it where imports come from the flow's folder.
    """
    target = flow.target
    if target is None:
        target = _imported(flow, flow.entry)
    label = getattr(target, "__qualname__", None) or type(target).__qualname__
    where = flow.where or flow.file.name
    if not callable(target):
        kind = type(target).__name__
        message = f"{flow.entry} is of type {kind}: neither a function nor a class with '__call__'."
        raise UserError(message, where=where)
    if isinstance(target, type) and not any("__call__" in vars(owner) for owner in target.__mro__):
        message = f"The class {label} has no method '__call__', which runs a line."
        raise UserError(message, hint="Add 'def __call__(self, …)' with the flow's inputs.", where=where)
    return FlexEntry(target, label, where)


def load_function(flow: FlexFlow, place: str) -> Callable[..., Any]:
    """The function at ``module:name`` beside the flow's entry. Raises UserError; call it as ``load_entry``."""
    function: Callable[..., Any] = _imported(flow, place)
    return function


def _imported(flow: FlexFlow, place: str) -> Any:
    name, _, attribute = place.partition(":")
    try:
        module = importlib.import_module(name)
    except (Exception, SystemExit) as error:
        if isinstance(error, ModuleNotFoundError) and error.name == name.split(".")[0]:
            files = [path.stem for path in flow.folder.glob("*.py")]
            hint = did_you_mean(name, files) or f"Modules there: {known_names(files)}."
            message = f"The flow's folder has no module {name!r}."
            raise UserError(message, hint=hint, where=flow.where) from None
        raise import_failure(error, name, flow.folder) from error
    if not hasattr(module, attribute):
        names = [key for key, value in vars(module).items() if callable(value) and not key.startswith("_")]
        hint = did_you_mean(attribute, names) or f"It has: {known_names(names)}."
        message = f"The module {name!r}{_from_elsewhere(module, flow.folder)} has no {attribute!r}."
        raise UserError(message, hint=hint, where=flow.where)
    return getattr(module, attribute)


def _from_elsewhere(module: ModuleType, folder: Path) -> str:
    """Says so when another module of that name was found first, one of Python's own for example."""
    file = getattr(module, "__file__", None)
    if file is not None and Path(file).resolve().is_relative_to(folder.resolve()):
        return ""
    return f", which is {file or 'part of Python'} and not in the flow's folder,"


def named_fields(annotation: Any) -> dict[str, Any] | None:
    """The outputs that a return annotation names, with their types: of a dataclass or a TypedDict; None otherwise.

    A stream, or any other single value, is the one output called ``output``; an annotation that says nothing, or only
    that names come at run time (``dict``), gives None.
    """
    if dataclasses.is_dataclass(annotation):
        return {each.name: each.type for each in dataclasses.fields(annotation)}
    if typing.is_typeddict(annotation):
        return dict(annotation.__annotations__)
    origin = typing.get_origin(annotation) or annotation
    unknown = origin in (inspect.Signature.empty, Any, None, type(None))
    if unknown or not isinstance(origin, type) or issubclass(origin, Mapping):
        return None
    return {"output": str if issubclass(origin, Iterator | AsyncIterator) else annotation}
