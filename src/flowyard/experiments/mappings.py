"""Whether an experiment's mappings fit its data, its flow and its evaluators."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from flowyard._util.suggest import did_you_mean, known_names
from flowyard.errors import ExperimentInvalid, MappingError, Problem, UserError
from flowyard.evaluation.whole_run import judges_whole_runs
from flowyard.experiments.evaluator_flow import load_evaluator
from flowyard.experiments.model import EvaluatorDataset, Experiment, ExperimentDataset
from flowyard.flows.load import load_flow
from flowyard.flows.model import FlexFlow, Flow, PromptyFlow
from flowyard.runs.mapping import check_mapping

__all__ = ["check_experiment", "require_mappings"]


def check_experiment(experiment: Experiment) -> tuple[list[str], UserError | None]:
    """What is odd about an experiment as it is read, and what makes it impossible to run, if anything does."""
    warnings = list(experiment.warnings)
    try:
        evaluators = {each.name: load_evaluator(each) for each in experiment.evaluators}
        require_mappings(experiment, load_flow(experiment.flow), evaluators, warnings)
    except UserError as error:
        return warnings, error
    return list(dict.fromkeys(warnings)), None


def require_mappings(experiment: Experiment, flow: Flow, evaluators: Mapping[str, Flow], warnings: list[str]) -> None:
    """Mappings of datasets against the flow, and of evaluators, by name, against its outputs.

    A flex flow that leaves its inputs to its code is checked only when it is prepared. Adds to ``warnings``; raises
    ExperimentInvalid with every problem.
    """
    problems: list[Problem] = []
    checks: list[tuple[ExperimentDataset | EvaluatorDataset, Flow, tuple[str, ...] | None]] = [
        *((dataset, flow, ()) for dataset in experiment.datasets),
        *(
            (applied, evaluators[evaluator.name], _outputs(flow))
            for evaluator in experiment.evaluators
            for applied in evaluator.datasets
        ),
    ]
    for dataset, target, outputs in checks:
        if (isinstance(target, FlexFlow) and not target.inputs) or judges_whole_runs(target):
            continue
        problems += _unknown_inputs(target, dataset)
        try:
            found = check_mapping(target, dataset.source, outputs, dataset.mappings)
            warnings += [f"{dataset.where}: {warning}" for warning in found]
        except MappingError as error:
            problems.append(Problem(error.message, dataset.where, error.hint))
    if problems:
        raise ExperimentInvalid(f"Experiment {experiment.name!r} cannot be run:", problems)


def _unknown_inputs(flow: Flow, dataset: ExperimentDataset | EvaluatorDataset) -> Iterator[Problem]:
    """Mapped names that are no inputs: what was meant would keep its default on every line.

    The code of a flex flow may take any names, so they are only warned of.
    """
    for name in dataset.mappings if not isinstance(flow, FlexFlow) else ():
        if name not in flow.inputs:
            hint = did_you_mean(name, flow.inputs) or f"It has: {known_names(flow.inputs)}."
            yield Problem(
                f"The mapping sets {name!r}, which is not an input of flow {flow.name!r}.", dataset.where, hint
            )


def _outputs(flow: Flow) -> tuple[str, ...] | None:
    """The names of the outputs; None when the code or the model decides them."""
    if isinstance(flow, PromptyFlow):
        return flow.output_names
    if isinstance(flow, FlexFlow) and not flow.outputs.keys() - {"output"}:
        return None
    return tuple(flow.outputs)
