"""Evaluators as templates for prompt flow have them: functions ``eval_*`` in files ``eval_*.py``, each called once.

They are called with a run's name, its data, the mappings and a folder for reports, and do what they like with it. What
they return, or write into that folder as JSON, becomes the metrics of an ordinary run with one line.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator, Mapping
from importlib import import_module
from inspect import isawaitable, signature
from pathlib import Path
from typing import Any

from flowyard._util.aio import run_blocking
from flowyard._util.files import dump_json, write_atomic
from flowyard._util.numbers import is_finite
from flowyard._util.suggest import known_names
from flowyard.errors import LineError, UserError
from flowyard.evaluation.python_file import parsed_file
from flowyard.flows.model import FlexFlow, Flow
from flowyard.records import RunRecord
from flowyard.runs.dataset import DataSource, recorded_source

__all__ = ["EvalFunctions", "eval_functions_flow", "has_eval_functions", "judges_whole_runs", "write_whole_run_row"]

_ENTRY = "flowyard.evaluation.whole_run:EvalFunctions"
_LINE = -1
"""The number of the one line: it is none of the data, so that no table puts the two side by side."""


def has_eval_functions(path: Path) -> bool:
    """Whether that is a folder with ``eval_*.py`` and without a flow."""
    return path.is_dir() and not any(path.glob("flow.*.y*ml")) and any(path.glob("eval_*.py"))


def eval_functions_flow(folder: Path, where: str) -> FlexFlow:
    """The flow that calls all ``eval_*`` functions in a folder. Raises UserError when its files have none."""
    files = sorted(folder.glob("eval_*.py"))
    functions = [f"{file.stem}:{name}" for file in files for name in _function_names(file)]
    if not functions:
        names = known_names(file.name for file in files)
        hint = "Write 'def eval_…(run, data, mappings, report_dir)', or name one with python: FILE.py:function."
        raise UserError(f"{folder.name} has {names}, but no function 'eval_…' in it.", hint=hint, where=where)
    return FlexFlow(
        name=folder.name,
        file=files[0],
        folder=folder,
        type="evaluation",
        entry=_ENTRY,
        sample_init={"functions": functions},
        where=where,
        aggregate="flowyard.evaluation.means:means",
    )


def judges_whole_runs(flow: Flow) -> bool:
    """Whether the flow calls ``eval_*`` functions."""
    return isinstance(flow, FlexFlow) and flow.entry == _ENTRY


def write_whole_run_row(base: RunRecord, name: str, data: DataSource, mappings: Mapping[str, Any]) -> Path:
    """A data file with the one row that judges ``base``, in a new folder of its results. Raises OSError."""
    folder = base.path / "evaluators" / name
    (folder / "reports").mkdir(parents=True, exist_ok=True)
    row = {
        "line_number": _LINE,
        "run": base.name,
        "data": recorded_source(data),
        "mappings": dict(mappings),
        "report_dir": str((folder / "reports").resolve()),
    }
    write_atomic(folder / "row.jsonl", dump_json(row) + "\n")
    return folder / "row.jsonl"


def _function_names(file: Path) -> list[str]:
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return [node.name for node in parsed_file(file).body if isinstance(node, kinds) and node.name.startswith("eval_")]


class EvalFunctions:
    """Calls ``module:function`` one after the other. Raises UserError when one cannot be imported."""

    def __init__(self, functions: list[str]) -> None:
        self._functions = {}
        for place in functions:
            module, _, name = place.partition(":")
            self._functions[name] = getattr(import_module(module), name)

    def __call__(self, run: str, data: str, mappings: dict[str, Any], report_dir: str) -> dict[str, Any]:
        """The metrics of all of them. Raises LineError when there are none."""
        found: dict[str, float] = {}
        for name, function in self._functions.items():
            returned = _called(function, (run, data, mappings, report_dir))
            for metric, value in _metrics(returned):
                found[metric if metric not in found else f"{name}.{metric}"] = value
        for file in sorted(Path(report_dir).glob("**/*.json")):
            for metric, value in _metrics(_read(file)):
                found.setdefault(metric, value)
        if not found:
            names = known_names(self._functions)
            message = f"{names} returned no numbers and wrote no JSON with numbers into the folder for reports."
            raise LineError(message, hint="Return a dict of metrics, or write the run's name with .json there.")
        return found


def _called(function: Any, values: tuple[Any, ...]) -> Any:
    """What it returns. A fifth parameter is the Azure project of the template: there is none."""
    named = [each for each in signature(function).parameters.values() if each.kind == each.POSITIONAL_OR_KEYWORD]
    needs_project = len(named) > len(values) and named[len(values)].default is named[len(values)].empty
    returned = function(*values, None) if needs_project else function(*values)
    return run_blocking(_awaited(returned)) if isawaitable(returned) else returned


async def _awaited(value: Any) -> Any:
    return await value


def _read(file: Path) -> Any:
    try:
        return json.loads(file.read_text("utf-8"))
    except ValueError as error:
        raise LineError(f"{file.name} is not JSON: {error}.") from None


def _metrics(value: Any) -> Iterator[tuple[str, float]]:
    """The numbers of a dict, or of its ``metrics``, as ``promptflow.evals.evaluate`` returns and writes them."""
    if not isinstance(value, Mapping):
        return
    inner = value.get("metrics", value)
    for name, number in (inner if isinstance(inner, Mapping) else value).items():
        if is_finite(number):
            yield str(name), float(number)
