"""What people decide on: metrics and gates of the version, beside those of what serves now.

A report is a mapping that JSON can hold:

    title      what it is, in a few words
    verdict    ``pass``, ``fail`` or ``inconclusive``; null without gates
    gates      [{gate, verdict, reason}]
    metrics    {name: number}; with several datasets the names are ``dataset: metric``
    serving    {label, metrics} of what serves at the target now, or null
    simulated  whether answers came from a simulated model
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flowyard._util.suggest import did_you_mean, known_names
from flowyard.decisions.model import Evidence
from flowyard.errors import UserError
from flowyard.records import ExperimentRecord
from flowyard.registry.model import LineageFact
from flowyard.reports.json_file import read_evidence

__all__ = ["MetricRow", "metric_rows", "read_report", "report_of_experiment", "report_of_facts", "serving_of_facts"]


@dataclass(frozen=True, slots=True)
class MetricRow:
    """A metric as text: of the version, of what serves now, and by how much they differ; empty where it is unknown."""

    name: str
    value: str
    serving: str
    change: str


def metric_rows(report: Mapping[str, Any]) -> tuple[MetricRow, ...]:
    """The metrics of a report, which may have any form, for a table; those of the version first."""
    ours = _numbers(report.get("metrics"))
    serving = report.get("serving")
    theirs = _numbers(serving.get("metrics")) if isinstance(serving, Mapping) else {}
    return tuple(
        MetricRow(name, _text(ours.get(name)), _text(theirs.get(name)), _change(ours.get(name), theirs.get(name)))
        for name in dict.fromkeys([*ours, *theirs])
    )


def read_report(path: Path) -> dict[str, Any]:
    """The report in a JSON file. Raises UserError."""
    try:
        values = json.loads(path.read_text(encoding="utf-8-sig"), parse_constant=lambda _: None)
    except (OSError, UnicodeDecodeError, ValueError, RecursionError) as error:
        raise UserError(f"The report {path} cannot be read: {error}.") from None
    if not isinstance(values, dict):
        raise UserError(f"The report {path} is no JSON object.", hint='{"metrics": {"accuracy": 0.91}, "gates": []}')
    if "datasets" in values:
        raise UserError(
            f"{path} is the report of a whole experiment, which does not say what would ship.",
            hint="Name the experiment instead: --experiment KEY",
        )
    return values


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
        "gates": [_gate(gate) for gate in record.gates],
        "metrics": _flat(_estimated(evidence, shipped) or _logged(record, shipped)),
        "serving": None,
        "simulated": record.simulated,
    }


def report_of_facts(title: str, facts: Iterable[LineageFact]) -> dict[str, Any]:
    """The report of a registered version: what its lineage knows."""
    listed = list(facts)
    judged = [fact.value for fact in listed if fact.kind == "gates"]
    gates = judged[-1] if judged else {}
    return {
        "title": title,
        "verdict": gates.get("verdict"),
        "gates": [_gate(gate) for gate in gates.get("gates", ()) if isinstance(gate, Mapping)],
        "metrics": _flat(_metrics_of(listed)),
        "serving": None,
        "simulated": False,
    }


def serving_of_facts(label: str, facts: Iterable[LineageFact]) -> dict[str, Any]:
    """The field ``serving`` of a report for the version that serves now."""
    return {"label": label, "metrics": _flat(_metrics_of(facts))}


def _metrics_of(facts: Iterable[LineageFact]) -> dict[str, dict[str, Any]]:
    """{dataset: metrics}; what became known last counts."""
    found: dict[str, dict[str, Any]] = {}
    for fact in facts:
        if fact.kind == "metrics" and isinstance(fact.value.get("metrics"), Mapping):
            found.setdefault(str(fact.value.get("dataset") or ""), {}).update(fact.value["metrics"])
    return found


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
            found.setdefault(each.dataset, {})[each.metric.name] = each.value
    return found


def _logged(record: ExperimentRecord, label: str) -> dict[str, dict[str, Any]]:
    """{dataset: metrics} of a version, as its runs and their evaluations logged them."""
    datasets = {run.name: run.dataset or "" for run in record.runs if record.labels.get(run.name) == label}
    found: dict[str, dict[str, Any]] = {}
    for run in record.runs:
        dataset = datasets.get(run.name, datasets.get(run.base_run or ""))
        if dataset is not None:
            found.setdefault(dataset, {}).update(run.metrics)
    return found


def _gate(gate: Mapping[str, Any]) -> dict[str, Any]:
    return {name: gate.get(name) for name in ("gate", "verdict", "reason")}


def _flat(metrics: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Metrics by one name each, which says the dataset when there are several."""
    if len(metrics) == 1:
        return dict(next(iter(metrics.values())))
    return {f"{dataset}: {name}": value for dataset, named in metrics.items() for name, value in named.items()}


def _numbers(metrics: Any) -> dict[str, Any]:
    return {str(name): value for name, value in metrics.items()} if isinstance(metrics, Mapping) else {}


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _text(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:,.4g}" if _is_number(value) else str(value)


def _change(ours: Any, theirs: Any) -> str:
    return f"{ours - theirs:+,.4g}" if _is_number(ours) and _is_number(theirs) else ""
