"""A flow around a function that exists: its parameters become inputs, its prompt files become prompt nodes."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from flowyard._util.suggest import did_you_mean, known_names
from flowyard.errors import Conflict, UserError
from flowyard.llm.template import load_template

__all__ = ["wrap_function"]

_TYPES = {"int": "int", "float": "double", "bool": "bool", "str": "string", "list": "list", "dict": "object"}


@dataclass(frozen=True, slots=True)
class _Argument:
    """A parameter: its type as flows write it and, when it has one, its default."""

    name: str
    type: str
    has_default: bool
    default: Any = None


def wrap_function(folder: Path, entry: Path, function: str, prompts: Mapping[str, str]) -> list[Path]:
    """Write ``flow.dag.yaml`` and a tool beside ``entry`` and return them; the code itself is left as it is.

    ``prompts`` maps parameters of the function to prompt files in the folder; what a prompt reads becomes an input.
    Raises UserError for a function or file that is not there, Conflict when a file would be overwritten.
    """
    source = folder / entry
    arguments = _arguments(source, function)
    for name in prompts.keys() - {argument.name for argument in arguments}:
        names = [argument.name for argument in arguments]
        raise UserError(f"{function} has no parameter {name!r}.", hint=did_you_mean(name, names) or known_names(names))
    tool = folder / f"{function}_tool.py"
    flow = folder / "flow.dag.yaml"
    for file in (tool, flow):
        if file.exists():
            raise Conflict(f"{file} exists already.", hint="Move it away first.")
    tool.write_text(_tool_code(source.stem, function, arguments), "utf-8")
    with flow.open("w", encoding="utf-8") as out:
        YAML().dump(_definition(folder, function, arguments, prompts, tool.name), out)
    return [flow, tool]


def _arguments(source: Path, function: str) -> list[_Argument]:
    try:
        tree = ast.parse(source.read_text("utf-8-sig"))
    except OSError as error:
        raise UserError(f"Cannot read {source}: {error.strerror}.") from None
    except SyntaxError as error:
        raise UserError(f"{source.name} is not valid Python: {error.msg}", where=f"{source}:{error.lineno}") from None
    functions = {each.name: each for each in tree.body if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)}
    found = functions.get(function)
    if found is None:
        hint = did_you_mean(function, functions) or f"It has: {known_names(functions)}."
        raise UserError(f"{source.name} has no function {function!r}.", hint=hint)
    names = [*found.args.posonlyargs, *found.args.args]
    defaults = [None] * (len(names) - len(found.args.defaults)) + list(found.args.defaults)
    pairs = [*zip(names, defaults, strict=True), *zip(found.args.kwonlyargs, found.args.kw_defaults, strict=True)]
    return [_argument(name, default) for name, default in pairs]


def _argument(argument: ast.arg, default: ast.expr | None) -> _Argument:
    kind = _TYPES.get(argument.annotation.id, "string") if isinstance(argument.annotation, ast.Name) else "string"
    try:
        value = ast.literal_eval(default) if default is not None else None
    except ValueError:  # a default that is computed stays with the function
        value = None
    return _Argument(argument.arg, kind, default is not None, value)


def _tool_code(module: str, function: str, arguments: list[_Argument]) -> str:
    required = [argument.name for argument in arguments if not argument.has_default]
    optional = [f"{argument.name}={argument.default!r}" for argument in arguments if argument.has_default]
    passed = ", ".join(f"{argument.name}={argument.name}" for argument in arguments)
    return (
        "from promptflow.core import tool\n\n"
        f"from {module} import {function}\n\n\n"
        "@tool\n"
        f"def {function}_tool({', '.join([*required, *optional])}):\n"
        f"    return {function}({passed})\n"
    )


def _definition(
    folder: Path, function: str, arguments: list[_Argument], prompts: Mapping[str, str], tool: str
) -> dict[str, Any]:
    inputs: dict[str, Any] = {}
    nodes: list[dict[str, Any]] = []
    for parameter, file in prompts.items():
        variables = sorted(load_template(folder / file).variables)
        inputs |= {name: {"type": "string"} for name in variables}
        nodes.append(_node(parameter, "prompt", file, {name: f"${{inputs.{name}}}" for name in variables}))
    values = {}
    for argument in arguments:
        if argument.name in prompts:
            values[argument.name] = f"${{{argument.name}.output}}"
            continue
        default = {"default": argument.default} if argument.default is not None else {}
        inputs[argument.name] = {"type": argument.type, **default}
        values[argument.name] = f"${{inputs.{argument.name}}}"
    nodes.append(_node(function, "python", tool, values))
    outputs = {"output": {"type": "string", "reference": f"${{{function}.output}}"}}
    return {"inputs": inputs, "outputs": outputs, "nodes": nodes}


def _node(name: str, kind: str, path: str, inputs: Mapping[str, str]) -> dict[str, Any]:
    return {"name": name, "type": kind, "source": {"type": "code", "path": path}, "inputs": dict(inputs)}
