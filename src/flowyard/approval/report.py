"""The report that people decide on, as it is put together: from a file, and from the lineage of a version.

It is a mapping that JSON can hold; ``facts.py`` reads it for the terminal, messages and the page. All is optional:

    title      what it is, in a few words
    verdict    ``pass``, ``fail`` or ``inconclusive``; null without gates
    gates      [{gate, verdict, reason}]
    metrics    {name: number, or {value, low, high, higher_is_better}}; with several datasets ``dataset: metric``
    serving    {label, metrics} of what serves at the target now, or null
    simulated  whether answers came from a simulated model
    links      [{label, url}], of the web
    warnings   [text]
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from flowyard.errors import UserError
from flowyard.registry.model import LineageFact

__all__ = ["flat_metrics", "gate_row", "read_report", "report_of_facts", "serving_of_facts", "with_warning"]

_REPORT = '{"metrics": {"accuracy": 0.91}, "gates": []}'


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


def with_warning(report: Mapping[str, Any], warning: str) -> dict[str, Any]:
    """The report with one more warning, before those that it has."""
    own = report.get("warnings")
    return {**report, "warnings": [warning, *(own if isinstance(own, list) else ())]}


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
