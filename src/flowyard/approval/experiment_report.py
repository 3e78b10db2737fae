"""The report of an experiment's execution. Apart from other reports because reading one takes long to import."""

from __future__ import annotations

from typing import Any

from flowyard._util.suggest import did_you_mean, known_names
from flowyard.approval.report import flat_metrics, gate_row
from flowyard.decisions.model import Estimate, Evidence
from flowyard.errors import UserError
from flowyard.records import ExperimentRecord
from flowyard.reports.json_file import read_evidence
from flowyard.reports.values import count_or_number

__all__ = ["report_of_experiment"]


def report_of_experiment(record: ExperimentRecord, variant: str | None = None) -> dict[str, Any]:
    """The report of an execution for the variant of this label; by default the flow as its files have it.

    Raises UserError for a variant that it has not.
    """
    shipped = variant or record.defaults or ""
    if shipped not in record.labels.values():
        known = sorted(set(record.labels.values()))
        hint = did_you_mean(shipped, known) or f"Variants: {known_names(known)}."
        raise UserError(f"The experiment {record.name}/{record.key} has no variant {shipped!r}.", hint=hint)
    evidence = _evidence(record)
    return {
        "title": f"{record.name}/{record.key}: {shipped}",
        "verdict": record.verdict,
        "gates": [gate_row(gate) for gate in record.gates],
        "metrics": flat_metrics(_estimated(evidence, shipped) or _logged(record, shipped)),
        "serving": None,
        "simulated": record.simulated,
    }


def _evidence(record: ExperimentRecord) -> Evidence | None:
    try:
        return read_evidence(record.path)
    except (OSError, ValueError) as error:
        raise UserError(
            f"The report of {record.name}/{record.key} cannot be read: {error}.",
            hint=f"Write it again: flowyard experiment report {record.key}",
        ) from None


def _estimated(evidence: Evidence | None, label: str) -> dict[str, dict[str, Any]]:
    """{dataset: metrics} of a version, as they were measured line by line."""
    found: dict[str, dict[str, Any]] = {}
    for each in evidence.estimates if evidence else ():
        if each.version == label and not each.slice:
            found.setdefault(each.dataset, {})[each.metric.name] = _metric(each)
    return found


def _metric(estimate: Estimate) -> dict[str, Any]:
    """A metric with its direction, and with its interval where it has one."""
    value = count_or_number(estimate.metric.name, estimate.value)
    known = {"value": value, "higher_is_better": estimate.metric.higher_is_better}
    return known | ({"low": estimate.interval.low, "high": estimate.interval.high} if estimate.interval else {})


def _logged(record: ExperimentRecord, label: str) -> dict[str, dict[str, Any]]:
    """{dataset: metrics} of a version, as its runs and their evaluations logged them."""
    datasets = {run.name: run.dataset or "" for run in record.runs if record.labels.get(run.name) == label}
    found: dict[str, dict[str, Any]] = {}
    for run in record.runs:
        dataset = datasets.get(run.name, datasets.get(run.base_run or ""))
        if dataset is not None:
            found.setdefault(dataset, {}).update(run.metrics)
    return found
