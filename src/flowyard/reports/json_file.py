"""Everything that is known as one JSON file: for scripts, and to write the other formats again later."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flowyard import __version__
from flowyard._util.files import dump_json, write_atomic
from flowyard._util.typed_json import from_plain, to_plain
from flowyard.abc import ReportFormat
from flowyard.decisions.model import Evidence
from flowyard.records import Comparison, ErrorRecord
from flowyard.reports.headline import cautions
from flowyard.reports.lines import find_failures
from flowyard.reports.table import DatasetTable, EvaluationUse, Summary, VariantRow

__all__ = ["REPORT_JSON", "JsonReport", "read_evidence", "report_values"]

REPORT_JSON = "report.json"
_FORMAT = 1
"""Counted up when a name in the file changes its meaning; new names do not count."""


@dataclass(frozen=True, slots=True)
class JsonReport(ReportFormat):
    """``report.json``"""

    summary: Summary

    def write(self, comparison: Comparison, evidence: Evidence | None, folder: Path) -> Sequence[Path]:
        values = report_values(comparison, self.summary, evidence)
        lines = (f"{dump_json(name)}: {_dumped(value)}" for name, value in values.items())
        path = folder / REPORT_JSON
        write_atomic(path, "{\n" + ",\n".join(lines) + "\n}\n")
        return [path]


def report_values(comparison: Comparison, summary: Summary, evidence: Evidence | None) -> dict[str, Any]:
    """The content of the file by name, plain values only; NaN is None. The names are a contract: docs/reports.md."""
    return {
        "format": _FORMAT,
        "flowyard": __version__,
        "title": comparison.title,
        "noun": comparison.noun,
        "key": comparison.key,
        "env": comparison.env,
        "created_at": comparison.created_at,
        "duration_s": comparison.duration_s,
        "verdict": evidence.verdict if evidence else None,
        "simulated": summary.usage.simulated_calls > 0,
        "usage": to_plain(summary.usage),
        "cautions": list(cautions(summary, evidence)),
        "datasets": [_dataset(table) for table in summary.datasets],
        "evidence": None if evidence is None else to_plain(evidence),
    }


def read_evidence(folder: Path) -> Evidence | None:
    """What ``report.json`` in a folder says of the differences; None when it has none, or is not there.

    Raises ValueError when the file is damaged or of another format.
    """
    try:
        values = json.loads((folder / REPORT_JSON).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    if not isinstance(values, Mapping) or values.get("format") != _FORMAT:
        raise ValueError(f"it is no report of format {_FORMAT}")
    found = values.get("evidence")
    if found is None:
        return None
    evidence: Evidence = from_plain(Evidence, found)
    return evidence


def _dumped(value: Any) -> str:
    return dump_json(to_plain(value))


def _dataset(table: DatasetTable) -> dict[str, Any]:
    return {
        "name": table.name,
        "versions": [_version(row) for row in table.rows],
        "failures": [
            {
                "version": each.row.label,
                "evaluator": each.evaluator or None,
                "node": each.node,
                "type": each.type,
                "message": each.message,
                "lines": each.count,
                "first_line_numbers": each.line_numbers,
            }
            for each in find_failures(table)
        ],
    }


def _version(row: VariantRow) -> dict[str, Any]:
    run = row.run
    return {
        "version": row.label,
        "run": run.name,
        "status": run.status,
        "assignment": dict(row.variants),
        "parameters": dict(run.parameters),
        "best": sorted(row.best),
        "metrics": dict(row.metrics),
        "lines": to_plain(row.lines),
        "usage": to_plain(row.usage) | {"total_tokens": row.usage.total_tokens},
        "latency": to_plain(row.latency),
        "duration_s": run.duration_s,
        "simulated": row.simulated,
        "errors": [_error(error) for error in run.errors],
        "evaluations": [_evaluation(use) for use in row.evaluations],
    }


def _evaluation(use: EvaluationUse) -> dict[str, Any]:
    return {
        "evaluator": use.evaluator,
        "run": use.run.name,
        "status": use.run.status,
        "metrics": dict(use.run.metrics),
        "lines_scored": use.completed,
        "lines_total": use.total,
        "usage": to_plain(use.run.usage) | {"total_tokens": use.run.usage.total_tokens},
        "errors": [_error(error) for error in use.run.errors],
    }


def _error(error: ErrorRecord) -> dict[str, Any]:
    return {"type": error.type, "message": error.message, "node": error.node, "where": error.where}
