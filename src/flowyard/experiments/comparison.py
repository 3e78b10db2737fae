"""An experiment's runs as they are compared: its variants side by side, and runs of before that it is held against."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from flowyard.abc import Store
from flowyard.decisions.policy import Baseline, DecisionPolicy
from flowyard.errors import UserError
from flowyard.records import Comparison, ExperimentRecord, RunQuery, RunRecord

__all__ = ["baseline_runs", "compare_variants", "require_baselines", "with_baselines"]


def compare_variants(experiment: ExperimentRecord) -> Comparison:
    """An experiment's runs, its variants side by side."""
    return Comparison(
        title=experiment.name,
        noun="variant",
        runs=experiment.runs,
        created_at=experiment.created_at,
        variants=experiment.variants,
        evaluations=experiment.evaluations,
        labels=experiment.labels,
        defaults=experiment.defaults,
        dropped=tuple((race["dataset"], label) for race in experiment.races for label in race["dropped"]),
        key=experiment.key,
        env=experiment.env,
        duration_s=experiment.duration_s,
        tables=True,
    )


def baseline_runs(policy: DecisionPolicy) -> tuple[Baseline, ...]:
    """The runs of the store that the policy names, each once."""
    named = [policy.baseline, *(gate.against for gate in policy.gates)]
    return tuple(dict.fromkeys(each for each in named if each is not None and each.run is not None))


def with_baselines(comparison: Comparison, policy: DecisionPolicy, store: Store) -> tuple[Comparison, tuple[str, ...]]:
    """The comparison with the runs that the policy names and their evaluations; and what to warn of.

    A run stands beside the dataset whose content it ran over. Raises NotFound when the store does not have it.
    """
    warnings: list[str] = []
    for baseline in baseline_runs(policy):
        run = store.get_run(str(baseline.run))
        dataset = _dataset_of(run, comparison)
        if dataset is None:
            warnings.append(
                f"Run {run.name!r} ran over other data than this experiment, so that lines cannot be compared."
            )
            continue
        comparison = _added(comparison, str(baseline), dataset, run, _evaluations_of(run, comparison, store))
    return comparison, tuple(warnings)


def _dataset_of(run: RunRecord, comparison: Comparison) -> str | None:
    """The dataset of the comparison with the same content; without digests, with the same file."""
    for other in comparison.runs:
        if other.name in comparison.evaluations or other.name == run.name:
            continue
        same = other.data_digest == run.data_digest if run.data_digest else other.data == run.data
        if same and run.data is not None:
            return comparison.datasets.get(other.name) or other.dataset or Path(run.data).stem
    return None


def _evaluations_of(run: RunRecord, comparison: Comparison, store: Store) -> dict[str, tuple[str, RunRecord]]:
    """The last evaluation of the run by each evaluator of the comparison: ``{run's name: (evaluator, run)}``."""
    known = {each.name: each for each in comparison.runs}
    evaluators = {
        known[name].flow: evaluator for name, (evaluator, _) in comparison.evaluations.items() if name in known
    }
    found: dict[str, tuple[str, RunRecord]] = {}
    for evaluation in store.list_runs(RunQuery(base_run=run.name, role="evaluation", status="completed")):
        evaluator = evaluators.get(evaluation.flow)
        if evaluator is not None and evaluator not in {name for name, _ in found.values()}:
            found[evaluation.name] = (evaluator, evaluation)
    return found


def _added(
    comparison: Comparison,
    label: str,
    dataset: str,
    run: RunRecord,
    evaluations: dict[str, tuple[str, RunRecord]],
) -> Comparison:
    extra: Iterable[RunRecord] = [run, *(evaluation for _, evaluation in evaluations.values())]
    there = {each.name for each in comparison.runs}
    return replace(
        comparison,
        runs=(*comparison.runs, *(each for each in extra if each.name not in there)),
        labels={**comparison.labels, run.name: label},
        datasets={**comparison.datasets, run.name: dataset},
        evaluations={
            **comparison.evaluations,
            **{name: (evaluator, run.name) for name, (evaluator, _) in evaluations.items()},
        },
    )


def require_baselines(policy: DecisionPolicy, store: Store) -> None:
    """Raises UserError for a run that cannot be compared with, before anything is paid for."""
    for baseline in baseline_runs(policy):
        run = store.get_run(str(baseline.run))
        if run.status != "completed":
            raise UserError(f"The baseline, run {run.name!r}, is {run.status}.", hint="Name one that is completed.")
