"""What an experiment will run, decided and checked before anything is paid for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from flowyard._util.suggest import did_you_mean, known_names
from flowyard.errors import ExperimentInvalid, MappingError, Problem, UserError
from flowyard.experiments.evaluator_flow import evaluator_subject, flow_calls, load_evaluator, model_calls
from flowyard.experiments.labels import selection_label
from flowyard.experiments.model import Evaluator, EvaluatorDataset, Experiment, ExperimentDataset
from flowyard.flows.load import load_flow
from flowyard.flows.model import FlexFlow, Flow, PromptyFlow
from flowyard.runs.dataset import count_rows
from flowyard.runs.mapping import check_mapping

__all__ = ["ExperimentPlan", "PlannedEvaluation", "PlannedRun", "assignments", "plan_experiment", "require_mappings"]


@dataclass(frozen=True, slots=True)
class PlannedEvaluation:
    """An evaluator that will be applied to one planned run."""

    evaluator: Evaluator
    dataset: EvaluatorDataset


@dataclass(frozen=True, slots=True)
class PlannedRun:
    """One dataset with one assignment; ``selected`` names the variants that differ from the defaults."""

    dataset: ExperimentDataset
    selected: Mapping[str, str]
    assignment: Mapping[str, str]
    lines: int
    model_calls: int
    evaluations: tuple[PlannedEvaluation, ...]
    parameters: Mapping[str, Any] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """What people call what is run, without the dataset."""
        return selection_label(self.assignment, self.parameters)


@dataclass(frozen=True, slots=True)
class ExperimentPlan:
    """All planned runs; ``model_calls`` counts LLM nodes times lines, evaluations included, before retries."""

    experiment: Experiment
    runs: tuple[PlannedRun, ...]
    warnings: tuple[str, ...] = field(default=())

    @property
    def model_calls(self) -> int:
        return sum(run.model_calls for run in self.runs)


def plan_experiment(experiment: Experiment, variants: str = "all") -> ExperimentPlan:
    """Every dataset with every selected assignment, and the evaluators that apply.

    ``variants`` is ``all`` (each variant once, the other nodes at their defaults), ``defaults``, or a list of
    ``node.variant`` or bare variant ids separated by commas. Raises UserError for what does not exist, and
    ExperimentInvalid when a flow or a mapping does not fit.
    """
    flow = load_flow(experiment.flow)
    chosen = assignments(flow, variants)
    warnings = list(experiment.warnings)
    evaluators = {evaluator.name: load_evaluator(evaluator) for evaluator in experiment.evaluators}
    require_mappings(experiment, flow, evaluators, warnings)
    runs = tuple(
        _planned(experiment, dataset, selected, load_flow(experiment.flow, selected))
        for dataset in experiment.datasets
        for selected in chosen
    )
    used = {(run.dataset.name, each.evaluator.name) for run in runs for each in run.evaluations}
    for evaluator in experiment.evaluators:
        if not any(name == evaluator.name for _, name in used):
            warnings.append(f"{evaluator.where}: evaluator {evaluator.name!r} refers to no dataset that is run.")
    return ExperimentPlan(experiment, runs, tuple(dict.fromkeys(warnings)))


def assignments(flow: Flow, variants: str) -> list[dict[str, str]]:
    """The selections to run, each ``{node: variant}`` without the defaults, none twice, the defaults first."""
    if variants in ("all", "*"):
        wanted = [(node, variant) for node, ids in flow.variants.items() for variant in ids]
    elif variants == "defaults":
        wanted = []
    else:
        wanted = [pair for item in variants.split(",") if item.strip() for pair in _selected(flow, item.strip())]
        if not wanted:
            raise UserError(f"{variants!r} names no variant.", hint="Write all, defaults or node.variant,node.variant.")
        return _unique([_without_defaults(flow, node, variant) for node, variant in wanted])
    return _unique([{}, *(_without_defaults(flow, node, variant) for node, variant in wanted)])


def _unique(selections: list[dict[str, str]]) -> list[dict[str, str]]:
    return list({tuple(selection.items()): selection for selection in selections}.values())


def _without_defaults(flow: Flow, node: str, variant: str) -> dict[str, str]:
    return {} if flow.variants[node][0] == variant else {node: variant}


def _selected(flow: Flow, item: str) -> list[tuple[str, str]]:
    bare = item.removeprefix("${").removesuffix("}")
    every = [(node, variant) for node, ids in flow.variants.items() for variant in ids]
    found = [pair for pair in every if bare in (f"{pair[0]}.{pair[1]}", pair[1])]
    if not found:
        names = [f"{node}.{variant}" for node, variant in every]
        hint = did_you_mean(bare, [*names, *(variant for _, variant in every)])
        raise UserError(
            f"Flow {flow.name!r} has no variant {bare!r}.",
            hint=hint or f"It has: {known_names(names)}; or all, defaults.",
        )
    return found


def _planned(experiment: Experiment, dataset: ExperimentDataset, selected: Mapping[str, str], flow: Flow) -> PlannedRun:
    evaluations = tuple(
        PlannedEvaluation(evaluator, applied)
        for evaluator in experiment.evaluators
        for applied in evaluator.datasets
        if applied.reference == dataset.name
    )
    lines = count_rows(dataset.source)
    evaluation_calls = sum(model_calls(evaluator_subject(each.evaluator)) for each in evaluations)
    calls = lines * (flow_calls(flow) + evaluation_calls)
    return PlannedRun(dataset, dict(selected), dict(flow.chosen), lines, calls, evaluations)


def require_mappings(experiment: Experiment, flow: Flow, evaluators: Mapping[str, Flow], warnings: list[str]) -> None:
    """Mappings of datasets against the flow, and of evaluators, by name, against its outputs.

    A flex flow that leaves its inputs to its code is checked only when it is prepared. Adds to ``warnings``; raises
    ExperimentInvalid with every problem.
    """
    problems = []
    checks: list[tuple[ExperimentDataset | EvaluatorDataset, Flow, tuple[str, ...] | None]] = [
        *((dataset, flow, ()) for dataset in experiment.datasets),
        *(
            (applied, evaluators[evaluator.name], _outputs(flow))
            for evaluator in experiment.evaluators
            for applied in evaluator.datasets
        ),
    ]
    for dataset, target, outputs in checks:
        if isinstance(target, FlexFlow) and not target.inputs:
            continue
        try:
            found = check_mapping(target, dataset.source, outputs, dataset.mappings)
            warnings += [f"{dataset.where}: {warning}" for warning in found]
        except MappingError as error:
            problems.append(Problem(error.message, dataset.where, error.hint))
    if problems:
        raise ExperimentInvalid(f"Experiment {experiment.name!r} cannot be run:", problems)


def _outputs(flow: Flow) -> tuple[str, ...] | None:
    """The names of the outputs; None when the code or the model decides them."""
    if isinstance(flow, PromptyFlow):
        return flow.output_names
    if isinstance(flow, FlexFlow) and not flow.outputs.keys() - {"output"}:
        return None
    return tuple(flow.outputs)
