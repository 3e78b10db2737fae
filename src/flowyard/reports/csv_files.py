"""Tables for spreadsheets and data frames: every line, every version's numbers, differences and gates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flowyard.abc import ReportFormat
from flowyard.decisions.model import Difference, Estimate, Evidence, GateResult, Interval
from flowyard.records import Comparison
from flowyard.reports.csv_cells import write_table
from flowyard.reports.csv_details import identity, identity_columns, write_details
from flowyard.reports.table import Latency, Summary, VariantRow

__all__ = ["CsvFiles"]

_METRIC_END = (
    *("lines_total", "lines_completed", "lines_failed", "lines_evaluated", "coverage"),
    *("model_calls", "cached_calls", "prompt_tokens", "completion_tokens", "total_tokens"),
    *("cost_usd", "saved_usd", "unpriced_calls"),
    *("latency_mean_ms", "latency_p50_ms", "latency_p95_ms", "duration_s", "simulated"),
)
_START = ("experiment", "key", "env")
_INTERVAL = ("low", "high", "confidence", "method")
_ESTIMATE = (*_START, "dataset", "version", "metric", "slice", "value", *_INTERVAL, "lines", "failed_lines")
_DIFFERENCE = (
    *(*_START, "dataset", "version", "baseline", "metric", "slice", "value", "low", "high", "confidence"),
    *("interval_method", "test", "p_value", "p_adjusted", "winner", "lines", "won", "lost", "tied"),
    *("detectable", "lines_needed"),
)
_GATE = (
    *(*_START, "gate", "verdict", "metric", "version", "dataset", "slice", "value", "threshold", "low", "high"),
    *("confidence", "p_value", "lines_needed", "reason", "where"),
)


@dataclass(frozen=True, slots=True)
class CsvFiles(ReportFormat):
    """``details.csv`` and one such file for each version, ``metrics.csv``; with evidence also ``estimates.csv``,
    ``differences.csv`` and ``gates.csv``.
    """

    summary: Summary

    def write(self, comparison: Comparison, evidence: Evidence | None, folder: Path) -> Sequence[Path]:
        details, *own = write_details(comparison, self.summary, evidence, folder)
        metrics = _write_metrics(comparison, self.summary, folder)
        found = [] if evidence is None else _write_evidence(comparison, evidence, folder)
        return [details, metrics, *found, *own]


def _write_metrics(comparison: Comparison, summary: Summary, folder: Path) -> Path:
    """One row for each version of each dataset."""
    columns = [*identity_columns(summary), "created_at", "status", *summary.metrics, *_METRIC_END]
    return write_table(folder / "metrics.csv", columns, (_metrics_record(comparison, row) for row in summary.rows))


def _write_evidence(comparison: Comparison, evidence: Evidence, folder: Path) -> list[Path]:
    start = {"experiment": comparison.title, "key": comparison.key, "env": comparison.env}
    estimates = (start | _estimate_record(each) for each in (*evidence.estimates, *evidence.slices))
    differences = (start | _difference_record(each) for each in evidence.differences)
    gates = (start | _gate_record(each) for each in evidence.gates)
    return [
        write_table(folder / "estimates.csv", _ESTIMATE, estimates),
        write_table(folder / "differences.csv", _DIFFERENCE, differences),
        write_table(folder / "gates.csv", _GATE, gates),
    ]


def _metrics_record(comparison: Comparison, row: VariantRow) -> dict[str, Any]:
    used = row.evaluated
    return {
        **row.metrics,
        **identity(comparison, row),
        "created_at": comparison.created_at,
        "status": row.run.status,
        "lines_total": row.lines.total,
        "lines_completed": row.lines.completed,
        "lines_failed": row.lines.failed,
        "lines_evaluated": used.completed if used else None,
        "coverage": used.coverage if used else None,
        "model_calls": row.usage.calls,
        "cached_calls": row.usage.cached_calls,
        "saved_usd": row.usage.saved_usd,
        "prompt_tokens": row.usage.prompt_tokens,
        "completion_tokens": row.usage.completion_tokens,
        "total_tokens": row.usage.total_tokens,
        "cost_usd": row.usage.cost_usd,
        "unpriced_calls": row.usage.unpriced_calls,
        **_latency_fields(row.latency),
        "duration_s": row.run.duration_s,
        "simulated": row.simulated,
    }


def _latency_fields(latency: Latency | None) -> dict[str, float]:
    if latency is None:
        return {}
    found = {"mean": latency.mean_ms, "p50": latency.p50_ms, "p95": latency.p95_ms}
    return {f"latency_{name}_ms": round(value, 3) for name, value in found.items()}


def _estimate_record(estimate: Estimate) -> dict[str, Any]:
    return {
        "dataset": estimate.dataset,
        "version": estimate.version,
        "metric": estimate.metric.name,
        "slice": _slice_text(estimate.slice),
        "value": estimate.value,
        **_interval_fields(estimate.interval),
        "lines": estimate.lines,
        "failed_lines": estimate.failed_lines,
    }


def _difference_record(difference: Difference) -> dict[str, Any]:
    interval = _interval_fields(difference.interval)
    names = (
        *("dataset", "version", "baseline", "value", "p_value", "p_adjusted", "winner", "lines"),
        *("won", "lost", "tied", "detectable", "lines_needed"),
    )
    return {
        **{name: getattr(difference, name) for name in names},
        "metric": difference.metric.name,
        "slice": _slice_text(difference.slice),
        **interval,
        "interval_method": interval.get("method"),
        "test": difference.method,
    }


def _gate_record(gate: GateResult) -> dict[str, Any]:
    names = ("gate", "verdict", "metric", "version", "dataset", "value", "threshold", "p_value", "lines_needed")
    return {
        **{name: getattr(gate, name) for name in (*names, "reason", "where")},
        "slice": _slice_text(gate.slice),
        **_interval_fields(gate.interval),
    }


def _interval_fields(interval: Interval | None) -> dict[str, Any]:
    return {} if interval is None else {name: getattr(interval, name) for name in _INTERVAL}


def _slice_text(values: Mapping[str, str]) -> str:
    """``category=hard``; empty for the whole dataset."""
    return ", ".join(f"{column}={value}" for column, value in values.items())
