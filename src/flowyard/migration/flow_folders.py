"""Flows of a use case: variants that could not be told apart, nested flows, init values and python evaluators."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from flowyard._util.suggest import known_names
from flowyard.errors import FlowyardError, UserError
from flowyard.flows.load import load_flow
from flowyard.flows.model import FlexFlow
from flowyard.migration.notes import Notes, looks_secret, read_structured, read_text
from flowyard.migration.places import iter_files

__all__ = ["check_flows"]

_FLOW_FILE = re.compile(r"^flow\.(dag|flex)\.ya?ml$")


def check_flows(folder: Path, notes: Notes) -> None:
    """Findings of every flow file, ``init.json`` and ``eval_*.py`` of a use case."""
    files = list(iter_files(folder))
    flows = [file for file in files if _FLOW_FILE.match(file.name)]
    for file in flows:
        _check_variants(file, notes)
        nested = [other for other in flows if other.parent != file.parent and other.is_relative_to(file.parent)]
        for other in nested:
            message = (
                f"Below this flow lies another one, {notes.relative(other)}: the template then took the wrong type."
            )
            notes.add("surprise", file, 1, message, "Nothing to do: a flow is the file in its own folder.")
    for file in files:
        if file.name == "init.json":
            _check_init(file, notes)
        if file.suffix == ".py" and file.name.startswith("eval_"):
            _check_evaluator(file, flows, notes)


def _check_variants(file: Path, notes: Notes) -> None:
    try:
        variants = load_flow(file).variants
    except FlowyardError:
        return  # the experiment that uses it says what is wrong
    twice = [name for name, count in Counter(each for ids in variants.values() for each in ids).items() if count > 1]
    if twice:
        message = f"{known_names(twice)} are variants of two nodes, which run names and metrics could not tell apart."
        notes.add("surprise", file, 1, message, "Choose with node.variant; labels here name the node.")
    capitals = [each for ids in variants.values() for each in ids if each != each.lower()]
    if capitals:
        message = f"{known_names(capitals)} could not be chosen: the template put --variants into lower case."
        notes.add("surprise", file, 1, message, "Nothing to do: names are taken as they are.")
    if len(variants) > 1:
        message = f"{len(variants)} nodes have variants; the template changed one node at a time."
        notes.add("works", file, 1, message, "The block 'variants' of experiment.yaml has mode: all for combinations.")


def _check_init(file: Path, notes: Notes) -> None:
    try:
        data = read_structured(file).data
    except UserError as error:
        notes.invalid(file, error)
        return
    pairs = list(_leaves(data))
    for name, value in pairs:
        if looks_secret(name, value):
            notes.add("problem", file, 1, f"{name!r} looks like a secret that is written out.", "Change it; use ${…}.")
    variables = [_variable(name) for name, value in pairs if str(value).startswith("${")]
    if variables:
        message = f"Placeholders stand for {known_names(variables)}; one without a variable was passed on as its text."
        notes.add("surprise", file, 1, message, "flow.flex.yaml takes ${env:NAME} for a variable.")
    if not isinstance(data, Mapping) or not data:
        return
    left = [str(name) for name in data if name not in _sample_init(file.parent)]
    if left:
        message = f"Experiments and deployments do not read it, so {known_names(left)} would not be given."
        notes.add("problem", file, 1, message, "Add to flow.flex.yaml: sample: {init: '${file:init.json}'}")
    else:
        notes.add("works", file, 1, "flow.flex.yaml has these init values under sample.init.")


def _sample_init(folder: Path) -> Mapping[str, Any]:
    """What the flow's own file gives its class, when nobody gives anything."""
    for file in sorted(folder.glob("flow.flex.y*ml")):
        try:
            flow = load_flow(file)
        except FlowyardError:
            return {}  # the experiment that uses it says what is wrong
        return flow.sample_init if isinstance(flow, FlexFlow) else {}
    return {}


def _leaves(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _leaves(inner, f"{name}_{key}" if name else str(key))
    else:
        yield name, value


def _variable(name: str) -> str:
    return name.upper()


def _check_evaluator(file: Path, flows: list[Path], notes: Notes) -> None:
    """A python evaluator of the template: its functions got a run's name and wrote a file of their own."""
    if any(flow.parent == file.parent for flow in flows):
        return
    try:
        tree = ast.parse(read_text(file))
    except (UserError, SyntaxError, ValueError) as error:
        notes.add("problem", file, getattr(error, "lineno", None) or 1, "The file is not Python that can be read.")
        return
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("eval_"):
            takes = ", ".join(argument.arg for argument in node.args.args)
            message = f"{node.name}({takes}) is called once for a run; no report of the template had its results."
            advice = (
                "It is called so here, too, and what it returns becomes metrics. For values line by line, which "
                f"comparisons need, write a function of columns and name it as python: {file.name}:NAME."
            )
            notes.add("works", file, node.lineno, message, advice)
