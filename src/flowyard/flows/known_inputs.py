"""The names that a node, a class or a prompty can be given, as far as files tell without running any code."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterable
from pathlib import Path

from flowyard.flows.model import DagFlow, FlexFlow, Node, PromptyFlow

__all__ = ["MODEL_KEYS", "MODEL_PARAMETERS", "of_init", "of_node", "of_prompty"]

MODEL_KEYS = ("model", "deployment_name")
"""How an LLM node says which model to ask: by the one or the other, as its connection wants it."""

MODEL_PARAMETERS = frozenset(
    {
        *(*MODEL_KEYS, "temperature", "top_p", "n", "stop", "max_tokens", "presence_penalty", "frequency_penalty"),
        *("logit_bias", "user", "stream", "extra_body", "function_call", "functions", "tool_choice", "tools"),
        *("response_format", "seed", "max_completion_tokens", "reasoning_effort", "suffix", "logprobs", "echo"),
        "best_of",
    }
)
"""The inputs of LLM nodes that go to the model's API; what each means is llm's business."""


def of_node(flow: DagFlow, node: Node) -> Collection[str] | None:
    """The inputs that a node takes; None when anything may be given."""
    path = flow.folder / node.source_path if node.source_path else None
    given = set(node.inputs)
    if node.type in ("llm", "custom_llm"):
        return given | MODEL_PARAMETERS | _variables(path)
    if node.type == "prompt":
        return given | _variables(path)
    if path is None:
        return given
    found = _arguments(path, None)
    return None if found is None else given | found


def of_init(flow: FlexFlow) -> Collection[str] | None:
    """The arguments of a flow's class; None when only its code knows."""
    given = {*flow.init, *flow.sample_init}
    module, _, name = flow.entry.partition(":")
    if flow.target is not None:
        return None
    found = _arguments(flow.folder / f"{module.replace('.', '/')}.py", name)
    return None if found is None else given | found


def of_prompty(flow: PromptyFlow) -> Collection[str]:
    """The model parameters that a prompty has, and those that models usually take."""
    return {*flow.parameters, *MODEL_PARAMETERS} - {"deployment_name"}


def _variables(path: Path | None) -> set[str]:
    """What a template reads; nothing when it cannot be parsed, which is told where it is prepared."""
    from jinja2 import Environment, TemplateError, meta  # noqa: PLC0415 - heavy

    try:
        text = path.read_text(encoding="utf-8-sig") if path else ""
        return set(meta.find_undeclared_variables(Environment(autoescape=True).parse(text)))
    except (OSError, ValueError, TemplateError):
        return set()


def _arguments(path: Path, class_name: str | None) -> set[str] | None:
    """The arguments of the tools in a file, or of one class; None when code would have to be run to know them."""
    try:
        tree = ast.parse(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, SyntaxError):
        return None
    found = list(_constructors(tree, class_name) if class_name else _tools(tree))
    if not found or any(each.args.kwarg for each in found):
        return None
    arguments = (arg for each in found for arg in (*each.args.posonlyargs, *each.args.args, *each.args.kwonlyargs))
    return {arg.arg for arg in arguments} - {"self"}


_Function = ast.FunctionDef | ast.AsyncFunctionDef


def _tools(tree: ast.Module) -> Iterable[_Function]:
    for each in ast.walk(tree):
        if isinstance(each, _Function) and any("tool" in ast.unparse(mark) for mark in each.decorator_list):
            yield each


def _constructors(tree: ast.Module, name: str) -> Iterable[_Function]:
    for each in tree.body:
        if isinstance(each, ast.ClassDef) and each.name == name:
            yield from (item for item in each.body if isinstance(item, _Function) and item.name == "__init__")
