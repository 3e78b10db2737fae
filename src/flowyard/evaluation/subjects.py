"""What may judge a run: an evaluation flow, an evaluator that comes with flowyard, a Python function or class.

Each becomes a flow, so that judging is an ordinary run: in workers, stored, resumable, with kept answers.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from importlib import import_module
from pathlib import Path
from typing import Any

import flowyard
from flowyard._util.suggest import did_you_mean, known_names
from flowyard.errors import UserError
from flowyard.evaluation.builtin.catalogue import find_builtin
from flowyard.evaluation.builtin.entry import BuiltinEvaluator
from flowyard.evaluation.python_file import PythonPlace, find_python
from flowyard.evaluation.whole_run import eval_functions_flow, has_eval_functions, judges_whole_runs
from flowyard.flows.load import load_flow
from flowyard.flows.model import FlexFlow, Flow, Input, Literal, Output
from flowyard.records import RunRecord
from flowyard.runs.run import require_name
from flowyard.settings import Settings

__all__ = ["EvaluatorSource", "EvaluatorSubject", "find_subject", "in_words_of_runs", "recorded_subject"]

MEANS = "flowyard.evaluation.means:means"
"""What makes metrics of evaluators that aggregate nothing themselves."""

_PACKAGE = Path(flowyard.__file__).parent
_WORKING_DIRECTORY = _PACKAGE / "evaluation" / "builtin" / "working_directory"
_SECRET = re.compile(r"(?i)(^|[_-])(api[_-]?key|key|secret|password|credential|(access|bearer|auth)[_-]?token)$")


@dataclass(frozen=True, slots=True)
class EvaluatorSource:
    """How an evaluator is written down: exactly one of ``flow``, ``type`` and ``python``.

    ``folder`` is what ``python`` and the files among ``options`` are relative to; ``where`` is ``file:line``.
    """

    flow: Path | None = None
    type: str | None = None
    python: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    folder: Path = Path()
    where: str = ""


@dataclass(frozen=True, slots=True)
class EvaluatorSubject:
    """An evaluator that can be run. ``flow`` has its options in it.

    ``usual`` are relations that hold when a mapping says nothing of an input. ``properties`` say in the record of a run
    what judged. ``builtin`` is its entry in the catalogue, if it has one.
    """

    flow: Flow
    usual: Mapping[str, Any] = field(default_factory=dict)
    properties: Mapping[str, Any] = field(default_factory=dict)
    builtin: BuiltinEvaluator | None = None

    def mapping(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """The whole column mapping of a run; functions that judge whole runs read mappings in their own words."""
        if judges_whole_runs(self.flow):
            return dict(given)
        return {**self.usual, **in_words_of_runs(given)}

    @property
    def options(self) -> Mapping[str, Any]:
        """What the evaluator is made with."""
        return self.flow.sample_init if isinstance(self.flow, FlexFlow) else {}


def recorded_subject(run: RunRecord) -> EvaluatorSubject | None:
    """What judged in an evaluation run, to go on with it; None when it was a flow, which the run names itself.

    Raises UserError when its options were not kept or its code is gone.
    """
    written = run.properties.get("evaluator")
    if not isinstance(written, Mapping):
        return None
    if "eval_functions" in written:
        return find_subject(EvaluatorSource(flow=Path(str(written["eval_functions"]))))
    if written.get("options") is None:
        message = f"The options of the evaluator of run {run.name!r} were not kept: one may be a secret."
        raise UserError(message, hint=f"Judge again: flowyard evaluation create --run {run.base_run}")
    return find_subject(
        EvaluatorSource(type=written.get("type"), python=written.get("python"), options=written["options"])
    )


def in_words_of_runs(mapping: Mapping[str, Any]) -> dict[str, Any]:
    """A column mapping with ``${target.y}``, as templates have it, as ``${run.outputs.y}``."""
    return {
        name: value.replace("${target.", "${run.outputs.") if isinstance(value, str) else value
        for name, value in mapping.items()
    }


def find_subject(source: EvaluatorSource) -> EvaluatorSubject:
    """The evaluator that is written down. Raises UserError, FlowInvalid, NotFound for a type that there is not."""
    named = [name for name in ("flow", "type", "python") if getattr(source, name)]
    if len(named) != 1:
        message = f"An evaluator is one of flow, type and python; here are {known_names(named)}."
        raise UserError(message, hint="flowyard evaluator list shows the types.", where=source.where or None)
    if source.type:
        return _builtin(source, find_builtin(source.type, source.where or None))
    if source.python:
        return _python(source, find_python(source.python, source.folder, source.where or None))
    assert source.flow is not None
    if has_eval_functions(source.flow):
        functions = eval_functions_flow(source.flow.resolve(), source.where)
        return EvaluatorSubject(functions, properties={"evaluator": {"eval_functions": str(functions.folder)}})
    flow = load_flow(source.flow)
    return EvaluatorSubject(replace(flow, aggregate=MEANS) if isinstance(flow, FlexFlow) else flow)


def _builtin(source: EvaluatorSource, entry: BuiltinEvaluator) -> EvaluatorSubject:
    _require_options(source, f"Evaluator type {entry.name!r}", [each.name for each in entry.options])
    missing = [each.name for each in entry.options if each.is_needed and each.name not in source.options]
    if missing:
        message = f"Evaluator type {entry.name!r} needs the option {known_names(missing)}."
        raise UserError(message, hint=f"See: flowyard evaluator show {entry.name}", where=source.where or None)
    options = {**source.options, **_places(source, entry)}
    module, _, name = entry.entry.partition(":")
    flow = FlexFlow(
        name=entry.name,
        file=_PACKAGE.joinpath(*module.split(".")[1:]).with_suffix(".py"),
        folder=_WORKING_DIRECTORY,
        inputs={
            each.name: Input(each.name, "any", nullable=each.optional or each.unless in options)
            for each in entry.inputs
        },
        outputs={each.name: Output(each.name, Literal(None), "object") for each in entry.outputs},
        type="evaluation",
        entry=entry.entry,
        target=None if entry.apart else getattr(import_module(module), name),
        sample_init=options,
        where=source.where or f"type: {entry.name}",
        aggregate=MEANS,
    )
    usual = {each.name: each.usual for each in entry.inputs if each.usual}
    return EvaluatorSubject(flow, usual, {"evaluator": _written("type", entry.name, options)}, entry)


def _places(source: EvaluatorSource, entry: BuiltinEvaluator) -> dict[str, str]:
    """The options that name files and runs, as paths: workers run elsewhere. Raises UserError."""
    given = {name: value for name, value in source.options.items() if isinstance(value, str)}
    files = [each.name for each in entry.options if each.is_file and each.name in given]
    runs = [each.name for each in entry.options if each.is_run and each.name in given]
    found = {name: str((source.folder / given[name]).resolve()) for name in files}
    return found | {name: str((Settings.read().home / "runs" / require_name(given[name])).resolve()) for name in runs}


def _python(source: EvaluatorSource, place: PythonPlace) -> EvaluatorSubject:
    if place.parameters is not None:
        _require_options(source, place.text, place.parameters)
    flow = FlexFlow(
        name=place.name,
        file=place.file,
        folder=place.file.parent,
        type="evaluation",
        entry=place.entry,
        sample_init=source.options if place.is_class else {},
        where=place.where,
        aggregate=place.aggregate or MEANS,
    )
    written = _written("python", f"{place.file}:{place.name}", source.options)
    return EvaluatorSubject(flow, {} if place.is_class else dict(source.options), {"evaluator": written})


def _require_options(source: EvaluatorSource, what: str, known: list[str] | tuple[str, ...]) -> None:
    for name in source.options:
        if name not in known:
            hint = did_you_mean(name, known) or f"It takes: {known_names(known)}."
            raise UserError(f"{what} takes no option {name!r}.", hint=hint, where=source.where or None)


def _written(kind: str, name: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """What a record keeps: no options at all when a secret may be among them."""
    return {kind: name, "options": None if _may_hold_secret(options) else dict(options)}


def _may_hold_secret(value: Any) -> bool:
    if isinstance(value, Mapping):
        return any(_SECRET.search(str(name)) or _may_hold_secret(each) for name, each in value.items())
    return isinstance(value, list | tuple) and any(map(_may_hold_secret, value))
