"""What must hold of the ``tools``, ``functions`` and their choice in a prompty's parameters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

__all__ = ["check_tools"]

Found = tuple[tuple[str | int, ...], str]


def check_tools(parameters: Mapping[str, Any]) -> list[Found]:
    """Every problem, with the keys of its place below ``parameters``."""
    if "tools" in parameters:
        return [*_tools(parameters["tools"]), *_tool_choice(parameters.get("tool_choice"))]
    if "functions" in parameters:
        return [*_functions(parameters["functions"]), *_function_call(parameters.get("function_call"))]
    return []


def _tools(tools: Any) -> Iterator[Found]:
    if not isinstance(tools, list) or not tools:
        yield ("tools",), "'tools' must be a list with at least one tool."
        return
    for index, tool in enumerate(tools):
        place = ("tools", index)
        if not isinstance(tool, Mapping) or not {"type", "function"} <= tool.keys():
            yield place, f"Tool {index + 1} must be a mapping with 'type' and 'function'."
        else:
            yield from _function(tool["function"], f"The function of tool {index + 1}", place)


def _functions(functions: Any) -> Iterator[Found]:
    if not isinstance(functions, list) or not functions:
        yield ("functions",), "'functions' must be a list with at least one function."
        return
    for index, function in enumerate(functions):
        yield from _function(function, f"Function {index + 1}", ("functions", index))


def _function(function: Any, said: str, place: tuple[str | int, ...]) -> Iterator[Found]:
    if not isinstance(function, Mapping) or not {"name", "parameters"} <= function.keys():
        yield place, f"{said} must be a mapping with 'name' and 'parameters'."
        return
    schema = function["parameters"]
    if not isinstance(schema, Mapping) or schema.get("type") != "object":
        yield place, f"{said}: 'parameters' must be a JSON schema of type 'object'."
    elif not isinstance(schema.get("properties"), Mapping):
        yield place, f"{said}: 'parameters' must have the mapping 'properties'."


def _tool_choice(choice: Any) -> Iterator[Found]:
    if choice in (None, "auto", "none", "required"):  # the last is newer than prompt flow
        return
    function = choice.get("function") if isinstance(choice, Mapping) and "type" in choice else None
    if not isinstance(function, Mapping) or "name" not in function:
        form = "{type: function, function: {name: NAME}}"
        yield ("tool_choice",), f"'tool_choice' must be auto, none, required or {form}."


def _function_call(choice: Any) -> Iterator[Found]:
    if choice not in (None, "auto", "none") and not (isinstance(choice, Mapping) and "name" in choice):
        yield ("function_call",), "'function_call' must be auto, none or {name: NAME}."
