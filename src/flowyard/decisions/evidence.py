"""From runs to a decision, in one call."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from flowyard.decisions.data_columns import DataColumns, read_data_columns
from flowyard.decisions.differences import find_differences
from flowyard.decisions.estimates import Estimator
from flowyard.decisions.gates import judge_gates
from flowyard.decisions.model import Estimate, Evidence, GateResult, Verdict
from flowyard.decisions.pareto import pareto_fronts
from flowyard.decisions.peoples_labels import read_labels
from flowyard.decisions.policy import DecisionPolicy
from flowyard.decisions.scores import measure
from flowyard.decisions.versions import Versions, find_versions, match_versions
from flowyard.records import Comparison

__all__ = ["gather_evidence", "joint_verdict"]


def gather_evidence(comparison: Comparison, policy: DecisionPolicy | None = None) -> Evidence:
    """Measure every version line by line, compare each with the baseline, and judge the gates.

    Reads the lines of all runs and the columns of the data that slices need. Raises StoreError for a damaged line.
    """
    policy = policy or DecisionPolicy()
    versions = find_versions(comparison, policy.ships)
    measured = measure(versions, policy.metrics)
    columns = read_data_columns(versions, policy.slices, _needed(policy)) if versions.runs else DataColumns()
    warnings = [*measured.warnings, *columns.warnings]
    baseline = _baseline(policy, versions, warnings)
    people = read_labels(policy, measured, columns, baseline)
    warnings += people.warnings
    estimator = Estimator(measured, versions, columns, policy, 1 - policy.alpha, people)
    warnings += [
        f"The data of {dataset} has no column {policy.cluster!r}, so its intervals take lines to be independent."
        for dataset in versions.datasets
        if estimator.lacks_clusters(dataset)
    ]
    gates = judge_gates(estimator, baseline, comparison.dropped)
    return Evidence(
        metrics=tuple(measured.metrics),
        scores=tuple(measured.scores),
        estimates=tuple(_estimates(estimator)),
        differences=find_differences(estimator, baseline) if baseline else (),
        slices=tuple(_slices(estimator)),
        gates=gates,
        verdict=joint_verdict(gates) if policy.gates else None,
        baseline=baseline,
        columns=columns.columns,
        pareto=pareto_fronts(estimator),
        agreements=people.sentences,
        warnings=tuple(dict.fromkeys(warnings)),
        inconclusive=policy.inconclusive,
    )


def joint_verdict(gates: Sequence[GateResult]) -> Verdict:
    """Fail when one fails, else inconclusive when one is."""
    verdicts = {gate.verdict for gate in gates}
    if "fail" in verdicts:
        return "fail"
    return "inconclusive" if "inconclusive" in verdicts else "pass"


def _needed(policy: DecisionPolicy) -> set[str]:
    columns = {column for gate in policy.gates for column in gate.slice}
    columns |= {rule.labels for rule in policy.metrics.values() if rule.labels}
    return columns | ({policy.cluster} if policy.cluster else set())


def _baseline(policy: DecisionPolicy, versions: Versions, warnings: list[str]) -> str | None:
    """Who is compared with: who the policy names, else the flow's defaults, else the first that was run."""
    labels = versions.labels
    wanted = policy.baseline
    if wanted is None:
        return versions.defaults or next(iter(labels), None)
    if wanted.run is not None:
        return str(wanted) if str(wanted) in labels else None
    found = match_versions(wanted.label or "", labels)
    if len(found) == 1:
        return found[0]
    said = f"fits several versions: {', '.join(found)}" if found else f"was not run; there are: {', '.join(labels)}"
    warnings.append(f"The baseline {wanted.label!r} {said}.")
    return None


def _estimates(estimator: Estimator) -> Iterable[Estimate]:
    for dataset in estimator.versions.datasets:
        for metric in estimator.measured.metrics:
            for each in estimator.versions.over(dataset):
                found = estimator.estimate(metric, each.version, dataset)
                if found is not None:
                    yield found


def _slices(estimator: Estimator) -> Iterable[Estimate]:
    """The metrics of evaluators, and the share of errors, on every slice."""
    metrics = [each for each in estimator.measured.metrics if each.kind != "total"]
    metrics = [each for each in metrics if each.evaluator or each.name == "error_rate"]
    for dataset in estimator.versions.datasets:
        for slice_, lines in estimator.columns.slices_of(dataset):
            for metric in metrics:
                for each in estimator.versions.over(dataset):
                    found = estimator.estimate(metric, each.version, dataset, slice_=slice_, lines=lines)
                    if found is not None:
                        yield found
