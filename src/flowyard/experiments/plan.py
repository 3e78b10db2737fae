"""What an experiment will run, decided, checked and priced before anything is paid for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from flowyard._util.suggest import known_names
from flowyard.errors import ExperimentInvalid, FlowInvalid
from flowyard.experiments.estimate import CallEstimate, Estimator
from flowyard.experiments.evaluator_flow import asked_by_type, load_evaluator
from flowyard.experiments.mappings import require_mappings
from flowyard.experiments.model import Evaluator, EvaluatorDataset, Experiment, ExperimentDataset
from flowyard.experiments.references import require_references
from flowyard.experiments.space.block import placed
from flowyard.experiments.space.expand import FlowReader, Selection
from flowyard.experiments.space.selections import KeptFlows, Selected, select
from flowyard.flows.labels import selection_label
from flowyard.flows.model import Flow
from flowyard.flows.parameters import apply_parameters
from flowyard.llm.prices import Prices
from flowyard.runs.dataset import count_rows

__all__ = ["ExperimentPlan", "LeftOut", "PlannedEvaluation", "PlannedRun", "plan_experiment", "require_mappings"]


@dataclass(frozen=True, slots=True)
class PlannedEvaluation:
    """An evaluator that will be applied to one planned run."""

    evaluator: Evaluator
    dataset: EvaluatorDataset


@dataclass(frozen=True, slots=True)
class PlannedRun:
    """One dataset with one assignment; ``selected`` names the variants that differ from the defaults.

    ``parameters`` are changed in the flow besides. ``estimate`` is of the run and its evaluations.
    """

    dataset: ExperimentDataset
    selected: Mapping[str, str]
    assignment: Mapping[str, str]
    lines: int
    model_calls: int
    evaluations: tuple[PlannedEvaluation, ...]
    parameters: Mapping[str, Any] = field(default_factory=dict)
    estimate: CallEstimate = CallEstimate()

    @property
    def label(self) -> str:
        """What people call what is run, without the dataset."""
        return selection_label(self.assignment, self.parameters)


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A selection that is not run, over any dataset, because the estimate of its cost does not fit."""

    label: str
    runs: int
    cost_usd: float


@dataclass(frozen=True, slots=True)
class ExperimentPlan:
    """All planned runs; ``model_calls`` counts LLM nodes times lines, evaluations included, before retries.

    ``variants`` and ``parameters`` are what went over the blocks of the file.
    """

    experiment: Experiment
    runs: tuple[PlannedRun, ...]
    warnings: tuple[str, ...] = field(default=())
    left_out: tuple[LeftOut, ...] = ()
    variants: str | None = None
    parameters: Mapping[str, Sequence[Any]] = field(default_factory=dict)

    @property
    def model_calls(self) -> int:
        return sum(run.model_calls for run in self.runs)

    @property
    def estimate(self) -> CallEstimate:
        """All runs together."""
        return sum((run.estimate for run in self.runs), CallEstimate())


def plan_experiment(
    experiment: Experiment,
    variants: str | None = None,
    parameters: Mapping[str, Sequence[Any]] | None = None,
    *,
    prices: Prices | None = None,
    gates: bool = True,
) -> ExperimentPlan:
    """Every dataset with every selection, and the evaluators that apply.

    ``variants`` goes over the file's block: ``all`` (each variant once, the other nodes at their defaults),
    ``defaults``, or a list of ``node.variant``, bare variant ids and names of selections, separated by commas.
    ``parameters`` go over those of the same name in the file. Without ``gates`` none will be judged. Raises UserError
    for what does not exist, and ExperimentInvalid when a flow or a mapping does not fit or when gates, baseline, slices
    or labels name what will not be there.
    """
    read_flow = KeptFlows(experiment.flow)
    selected = select(experiment, variants, parameters or {}, read_flow)
    warnings = [*experiment.warnings, *selected.warnings]
    evaluators = {evaluator.name: load_evaluator(evaluator) for evaluator in experiment.evaluators}
    require_mappings(experiment, read_flow({}), evaluators, warnings)
    planner = _Planner(experiment, read_flow, evaluators, Estimator(prices or Prices()))
    groups, left_out = _affordable([planner.runs(each) for each in selected.selections], selected.search.max_cost_usd)
    runs = tuple(run for place in range(len(experiment.datasets)) for run in (group[place] for group in groups))
    warnings += require_references(
        experiment,
        [run.label for run in runs],
        [each.label for each in left_out],
        gates=gates,
        chosen=variants is not None,
    )
    plan = ExperimentPlan(experiment, runs, (), tuple(left_out), variants, parameters or {})
    warnings += [*_unused(experiment), *_about_cost(plan, selected)]
    return replace(plan, warnings=tuple(dict.fromkeys(warnings)))


class _Planner:
    """Plans the runs of selections; what several of them share is read and estimated once."""

    def __init__(
        self, experiment: Experiment, read_flow: FlowReader, evaluators: Mapping[str, Flow], estimator: Estimator
    ) -> None:
        self._experiment = experiment
        self._flow = read_flow({})
        self._read_flow = read_flow
        self._evaluators = evaluators
        self._estimator = estimator
        self._lines = {dataset.name: count_rows(dataset.source) for dataset in experiment.datasets}
        self._judging = {dataset.name: self._evaluations(dataset) for dataset in experiment.datasets}

    def runs(self, selection: Selection) -> list[PlannedRun]:
        """A run over each dataset. Raises ExperimentInvalid when the flow cannot be run so."""
        selected = {node: id_ for node, id_ in selection.assignment.items() if self._flow.chosen.get(node) != id_}
        flow = self._read_flow(selected)
        try:
            with placed(_where(self._experiment)):
                flow = apply_parameters(flow, selection.parameters)
        except FlowInvalid as error:
            raise ExperimentInvalid(f"{selection.label} cannot be run:", error.problems) from None
        return [self._run(dataset, selection, selected, flow) for dataset in self._experiment.datasets]

    def _run(
        self, dataset: ExperimentDataset, selection: Selection, selected: Mapping[str, str], flow: Flow
    ) -> PlannedRun:
        lines = self._lines[dataset.name]
        evaluations, judging = self._judging[dataset.name]
        estimate = self._estimator.estimate(flow, dataset.source, dataset.mappings, lines) + judging
        return PlannedRun(
            dataset=dataset,
            selected=selected,
            assignment=dict(selection.assignment),
            lines=lines,
            model_calls=estimate.calls,
            evaluations=evaluations,
            parameters=dict(selection.parameters),
            estimate=estimate,
        )

    def _evaluations(self, dataset: ExperimentDataset) -> tuple[tuple[PlannedEvaluation, ...], CallEstimate]:
        """The evaluators of a dataset, and what they come to for one run over it."""
        found = tuple(
            PlannedEvaluation(evaluator, applied)
            for evaluator in self._experiment.evaluators
            for applied in evaluator.datasets
            if applied.reference == dataset.name
        )
        lines = self._lines[dataset.name]
        return found, sum((self._judging_of(each, lines) for each in found), CallEstimate())

    def _judging_of(self, evaluation: PlannedEvaluation, lines: int) -> CallEstimate:
        flow, applied = self._evaluators[evaluation.evaluator.name], evaluation.dataset
        asks, model = asked_by_type(evaluation.evaluator)
        if asks:
            return self._estimator.estimate_judge(flow, model, applied.source, applied.mappings, lines * asks)
        return self._estimator.estimate(flow, applied.source, applied.mappings, lines)


def _affordable(
    groups: list[list[PlannedRun]], max_cost_usd: float | None
) -> tuple[list[list[PlannedRun]], list[LeftOut]]:
    """The selections that fit into the money, in their order, and those that do not."""
    if max_cost_usd is None:
        return groups, []
    kept, left_out, spent = [], [], 0.0
    for group in groups:
        cost = sum(run.estimate.cost_usd for run in group)
        if spent + cost <= max_cost_usd:
            spent += cost
            kept.append(group)
        else:
            left_out.append(LeftOut(group[0].label, len(group), cost))
    return kept, left_out


def _about_cost(plan: ExperimentPlan, selected: Selected) -> Iterator[str]:
    """What was left out for its cost, and what a limit of cost cannot know."""
    limit = selected.search.max_cost_usd
    if limit is None:
        return
    where = selected.search.where
    if plan.left_out:
        names = "; ".join(each.label for each in plan.left_out[:5])
        more = f" and {len(plan.left_out) - 5:,} more" if len(plan.left_out) > 5 else ""
        yield f"{where}: left out, as they do not fit into max_cost (${limit:,.4g}): {names}{more}."
    total = plan.estimate
    if total.unpriced_models:
        names = known_names(sorted(total.unpriced_models))
        yield f"{where}: max_cost counts without the models whose price nobody knows: {names}. See docs/costs.md."
    if total.has_code:
        yield f"{where}: max_cost counts without what the flow's own code asks; --max-cost stops at what is spent."


def _unused(experiment: Experiment) -> Iterator[str]:
    names = {dataset.name for dataset in experiment.datasets}
    for evaluator in experiment.evaluators:
        if not any(applied.reference in names for applied in evaluator.datasets):
            yield f"{evaluator.where}: evaluator {evaluator.name!r} refers to no dataset that is run."


def _where(experiment: Experiment) -> str:
    block = experiment.blocks.get("parameters")
    return block.where() if block else ""
