"""What an execution has to remember so that it can be gone on with, and whether everything still is as it was."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from flowyard._util.files import dump_json
from flowyard._util.lock import try_lock
from flowyard.errors import Conflict, UserError
from flowyard.experiments.evaluator_flow import load_evaluator
from flowyard.experiments.model import Evaluator
from flowyard.experiments.plan import ExperimentPlan
from flowyard.flows.load import load_flow
from flowyard.records import ExperimentRecord
from flowyard.runs.versions import data_digest, flow_digest

__all__ = ["changed_versions", "execution_request", "held_execution", "require_request"]

_HOLD_FILE = "hold.lock"


def execution_request(plan: ExperimentPlan) -> dict[str, Any]:
    """What was asked for, and the versions of all that it reads, for the record of an execution."""
    return {
        "file": str(plan.experiment.files[0]) if plan.experiment.files else None,
        "variants": plan.variants,
        "parameters": {name: list(values) for name, values in plan.parameters.items()},
        "versions": _versions(plan),
    }


def require_request(record: ExperimentRecord) -> Mapping[str, Any]:
    """What was asked for. Raises UserError for an execution that does not say so."""
    if not record.request.get("file"):
        raise UserError(
            f"The experiment {record.name}/{record.key} does not say how it was made, so it cannot be gone on with.",
            hint="Run it again: answers that were kept are not paid for again.",
        )
    return record.request


def changed_versions(record: ExperimentRecord, plan: ExperimentPlan, *, anyway: bool) -> list[str]:
    """What changed since the execution began, as warnings. Raises UserError when something did, unless ``anyway``."""
    before, now = record.request["versions"], _versions(plan)
    changed = [what for what in {**before, **now} if before.get(what) != now.get(what)]
    if changed and not anyway:
        raise UserError(
            f"Since the experiment {record.name}/{record.key} began, this changed: {', '.join(changed)}.",
            hint="Undo the change, run the experiment anew, or mix old and new results with: "
            f"flowyard experiment resume {record.name}/{record.key} --anyway",
        )
    return [f"Before the experiment was resumed, this changed: {what}." for what in changed]


@contextmanager
def held_execution(name: str, folder: Path) -> Iterator[None]:
    """Be the only process that carries out the execution of that folder. Raises Conflict while another one does."""
    with (folder / _HOLD_FILE).open("a+b") as file:
        if not try_lock(file):
            raise Conflict(f"The experiment {name}/{folder.name} is running.", hint="Wait until it has ended.")
        yield


def _evaluator_version(evaluator: Evaluator) -> str:
    """The version of what judges: its folder, or beside the experiment, where anything may lie, its modules only."""
    flow = load_evaluator(evaluator)
    if evaluator.python is None or not evaluator.folder.resolve().is_relative_to(flow.folder.resolve()):
        return flow_digest(flow)
    modules = sorted(flow.folder.glob("*.py"))
    return hashlib.sha256(dump_json([[each.name, each.read_bytes().hex()] for each in modules]).encode()).hexdigest()


def _versions(plan: ExperimentPlan) -> dict[str, str]:
    """The version of each thing, by what people call it."""
    experiment = plan.experiment
    runs = [[run.dataset.name, run.label, [each.evaluator.name for each in run.evaluations]] for run in plan.runs]
    found = {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in experiment.files}
    found["the flow"] = flow_digest(load_flow(experiment.flow))
    for dataset in experiment.datasets:
        found[f"the data {dataset.name!r}"] = data_digest(dataset.source)
    for evaluator in experiment.evaluators:
        found[f"the evaluator {evaluator.name!r}"] = _evaluator_version(evaluator)
        for applied in evaluator.datasets:
            if applied.name != applied.reference:
                found[f"the data {applied.name!r}"] = data_digest(applied.source)
    found["what is planned"] = hashlib.sha256(dump_json(runs).encode()).hexdigest()
    return found
