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

from flowyard.errors import UserError
from flowyard.registry.model import LineageFact

__all__ = ["MetricRow", "flat_metrics", "gate_row", "metric_rows", "read_report", "report_of_facts", "serving_of_facts"]


_REPORT = '{"metrics": {"accuracy": 0.91}, "gates": []}'


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
        raise UserError(f"The report {path} is no JSON object.", hint=f"For example: {_REPORT}")
    for name, form, wanted in (("metrics", dict, "object"), ("gates", list, "list"), ("serving", dict, "object")):
        if not isinstance(values.get(name), form | None):
            raise UserError(f"{name!r} in the report {path} is no {wanted}.", hint=f"For example: {_REPORT}")
    if "datasets" in values:
        raise UserError(
            f"{path} is the report of a whole experiment, which does not say what would ship.",
            hint="Name the experiment instead: --experiment KEY",
        )
    return values


def report_of_facts(title: str, facts: Iterable[LineageFact]) -> dict[str, Any]:
    """The report of a registered version: what its lineage knows."""
    listed = list(facts)
    judged = [fact.value for fact in listed if fact.kind == "gates"]
    gates = judged[-1] if judged else {}
    return {
        "title": title,
        "verdict": gates.get("verdict"),
        "gates": [gate_row(gate) for gate in gates.get("gates", ()) if isinstance(gate, Mapping)],
        "metrics": flat_metrics(_metrics_of(listed)),
        "serving": None,
        "simulated": any(fact.value.get("simulated") for fact in listed if fact.kind == "run"),
    }


def serving_of_facts(label: str, facts: Iterable[LineageFact]) -> dict[str, Any]:
    """The field ``serving`` of a report for the version that serves now."""
    return {"label": label, "metrics": flat_metrics(_metrics_of(facts))}


def _metrics_of(facts: Iterable[LineageFact]) -> dict[str, dict[str, Any]]:
    """{dataset: metrics}; what became known last counts."""
    found: dict[str, dict[str, Any]] = {}
    for fact in facts:
        if fact.kind == "metrics" and isinstance(fact.value.get("metrics"), Mapping):
            found.setdefault(str(fact.value.get("dataset") or ""), {}).update(fact.value["metrics"])
    return found


def gate_row(gate: Mapping[str, Any]) -> dict[str, Any]:
    """A gate's result without what only machines need."""
    return {name: gate.get(name) for name in ("gate", "verdict", "reason")}


def flat_metrics(metrics: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
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
    return _number_text(value) if _is_number(value) else str(value)


def _change(ours: Any, theirs: Any) -> str:
    if not (_is_number(ours) and _is_number(theirs)):
        return ""
    return ("+" if ours >= theirs else "") + _number_text(ours - theirs)


def _number_text(value: float) -> str:
    """Four digits, and for large numbers all before the point."""
    return f"{value:,.4g}" if abs(value) < 1000 else f"{value:,.0f}"
