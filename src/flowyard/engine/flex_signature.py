"""What a flex flow's file leaves unsaid, taken from the signature of its code: inputs, outputs, init parameters.

What the file does declare must name the same things as the code; its types and defaults are then the ones that hold.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from flowyard.engine.flex_entry import FlexEntry, Parameter, named_fields
from flowyard.engine.signature import members_of, type_name_of
from flowyard.errors import FlowInvalid, Problem
from flowyard.flows.model import FlexFlow, Input, Literal, Output
from flowyard.llm.connection import Connection
from flowyard.llm.model_configuration import MODEL_CONFIGURATIONS

__all__ = ["Looseness", "completed", "loosely_typed"]


@dataclass(frozen=True, slots=True)
class Looseness:
    """Inputs that do not follow the usual rules of types and defaults, because only Python declares them.

    ``untyped`` are passed as they come, ``take_none`` may be None, and ``defaulted`` have a default that only Python
    can write, so they are left out of the call when nobody gives them.
    """

    untyped: frozenset[str]
    take_none: frozenset[str]
    defaulted: frozenset[str]


def completed(flow: FlexFlow, entry: FlexEntry) -> FlexFlow:
    """The flow with every input, output and init parameter that its code has. Raises FlowInvalid."""
    problems = [
        *_unlike("inputs", flow, flow.inputs, entry.parameters),
        *_unlike("init", flow, flow.init, entry.init_parameters),
        *_foreign(entry),
        *_unlike_outputs(flow, entry),
    ]
    if problems:
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        raise FlowInvalid(f"{flow.file} cannot be run ({count}):", problems)
    return replace(
        flow,
        inputs=_filled(flow.inputs, entry.parameters)
        or {name: _input(each, entry) for name, each in entry.parameters.items()},
        outputs=flow.outputs or _outputs(entry),
        init=_filled(flow.init, entry.init_parameters)
        or {name: _init(each, entry) for name, each in entry.init_parameters.items()},
    )


def _filled(declared: Mapping[str, Input], found: Mapping[str, Parameter]) -> dict[str, Input]:
    """What the file declares; as in prompt flow, an empty default in it gives way to a default in the code."""
    return {
        name: replace(each, default=None, nullable=True) if _is_left_to_python(each, found) else each
        for name, each in declared.items()
    }


def _is_left_to_python(declared: Input, found: Mapping[str, Parameter]) -> bool:
    return declared.default == "" and declared.name in found and found[declared.name].has_default


def loosely_typed(flow: FlexFlow, entry: FlexEntry) -> Looseness:
    """How the inputs that ``flow``, as its file says it, leaves to Python behave."""
    inferred = {} if flow.inputs else entry.parameters
    defaulted = {name: each for name, each in inferred.items() if each.has_default}
    left = {name for name, each in flow.inputs.items() if _is_left_to_python(each, entry.parameters)}
    return Looseness(
        untyped=frozenset(name for name, each in defaulted.items() if each.default is None or each.default == ""),
        take_none=frozenset(name for name, each in inferred.items() if each.takes_none),
        defaulted=frozenset(left | {name for name, each in defaulted.items() if not _is_plain(each.default)}),
    )


def _unlike(key: str, flow: FlexFlow, declared: Mapping[str, Any], found: Mapping[str, Any]) -> list[Problem]:
    """The file and the code name different things."""
    if not declared or declared.keys() == found.keys():
        return []
    only_file = [f"{name!r} in the file only" for name in declared if name not in found]
    only_code = [f"{name!r} in the code only" for name in found if name not in declared]
    where = next((declared[name].where for name in declared if name not in found), None)
    hint = f"Declare exactly what the code takes, or leave '{key}' out: it is then read from the code."
    message = f"'{key}' does not match the signature of {flow.entry}: {', '.join([*only_file, *only_code])}."
    return [Problem(message, where or next(iter(declared.values())).where, hint)]


def _unlike_outputs(flow: FlexFlow, entry: FlexEntry) -> list[Problem]:
    """The file names other outputs than the fields of the dataclass or TypedDict that the code says it returns."""
    fields = named_fields(entry.returns)
    return [] if fields is None or "output" in fields else _unlike("outputs", flow, flow.outputs, fields)


def _foreign(entry: FlexEntry) -> Iterable[Problem]:
    for name, parameter in entry.parameters.items():
        if parameter.kind is None:
            shown = getattr(parameter.members[0], "__name__", parameter.members[0])
            hint = "Take a str, int, float, bool, list or dict, and build the object in the code."
            if isinstance(parameter.members[0], type) and issubclass(parameter.members[0], Connection):
                hint = "Take connections in '__init__' of a class."
            message = f"Input {name!r} of {entry.label} is of the class {shown}, which no data can give."
            yield Problem(message, entry.where, hint)


def _input(parameter: Parameter, entry: FlexEntry) -> Input:
    kind = parameter.kind
    assert kind is not None
    return Input(
        name=parameter.name,
        type=kind,
        default=_default(parameter),
        is_chat_history=parameter.name == "chat_history",
        where=entry.where,
        nullable=parameter.has_default,
    )


def _init(parameter: Parameter, entry: FlexEntry) -> Input:
    single = parameter.members[0] if len(parameter.members) == 1 else None
    kind = parameter.kind or "object"
    if str in parameter.members or not (parameter.is_annotated or parameter.has_default):
        kind = "string"  # text is what it asks for, or as good as anything
    elif isinstance(single, type) and (issubclass(single, Connection) or single.__name__ in MODEL_CONFIGURATIONS):
        kind = single.__name__
    return Input(parameter.name, kind, _default(parameter), where=entry.where, nullable=parameter.has_default)


def _default(parameter: Parameter) -> Any:
    """Python's default where data could say the same; None else."""
    return parameter.default if parameter.has_default and _is_plain(parameter.default) else None


def _is_plain(value: Any) -> bool:
    if type(value) in (str, int, float, bool, type(None)):
        return True
    try:
        return bool(json.loads(json.dumps(value)) == value)
    except (TypeError, ValueError, RecursionError):
        return False


def _outputs(entry: FlexEntry) -> dict[str, Output]:
    fields = named_fields(entry.returns) or {}
    return {name: Output(name, Literal(None), _output_type(annotation)) for name, annotation in fields.items()}


def _output_type(annotation: Any) -> str:
    if annotation is inspect.Parameter.empty or isinstance(annotation, str):
        return "string" if annotation == "str" else "object"
    members = members_of(annotation)
    return type_name_of(members[0]) if len(members) == 1 else "object"
