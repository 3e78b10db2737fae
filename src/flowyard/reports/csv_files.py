"""Tables for spreadsheets and data frames: every line, and every variant's metrics."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flowyard._util.files import dump_json
from flowyard.abc import ReportFormat
from flowyard.records import Comparison, ErrorRecord
from flowyard.reports.lines import VariantLine, iter_lines
from flowyard.reports.table import Latency, Summary, VariantRow

__all__ = ["DetailsCsv", "MetricsCsv", "safe_cell"]

_EXECUTED = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


@dataclass(frozen=True, slots=True)
class DetailsCsv(ReportFormat):
    """``details.csv``: one row for each line of each variant, with everything that is known about it."""

    summary: Summary

    def write(self, comparison: Comparison, folder: Path) -> Sequence[Path]:
        names = dict.fromkeys(name for _, cell in self._cells() for name in _line_fields(cell))
        kinds = ("inputs.", "outputs.", "eval.")
        fields = [name for kind in kinds for name in names if name.startswith(kind)]
        columns = [*_LINE_START, *(f"variant.{node}" for node in self.summary.nodes), "line_number", "status"]
        rows = (_line_record(comparison, number, cell) for number, cell in self._cells())
        return [_write(folder / "details.csv", [*columns, *fields, *_LINE_END], rows)]

    def _cells(self) -> Iterator[tuple[int, VariantLine]]:
        for table in self.summary.datasets:
            for line in iter_lines(table):
                for cell in line.cells:
                    if cell.line is not None:
                        yield line.line_number, cell


@dataclass(frozen=True, slots=True)
class MetricsCsv(ReportFormat):
    """``metrics.csv``: one row for each variant of each dataset."""

    summary: Summary

    def write(self, comparison: Comparison, folder: Path) -> Sequence[Path]:
        start = ["experiment", "key", "created_at", "env", *_LINE_START[1:]]
        variants = [f"variant.{node}" for node in self.summary.nodes]
        columns = [*start, "status", *variants, *self.summary.metrics, *_METRIC_END]
        rows = (_metrics_record(comparison, row) for row in self.summary.rows)
        return [_write(folder / "metrics.csv", columns, rows)]


_LINE_START = ("experiment", "dataset", "run")
_LINE_END = (
    *("error.type", "error.message", "error.node", "duration_ms"),
    *("prompt_tokens", "completion_tokens", "total_tokens", "cost_usd", "simulated"),
)
_METRIC_END = (
    *("lines_total", "lines_completed", "lines_failed", "lines_evaluated", "coverage"),
    *("model_calls", "prompt_tokens", "completion_tokens", "total_tokens", "cost_usd", "unpriced_calls"),
    *("latency_mean_ms", "latency_p50_ms", "latency_p95_ms", "duration_s", "simulated"),
)


def safe_cell(value: Any) -> str:
    """The text of one cell. Text that a spreadsheet would run as a formula gets a leading apostrophe."""
    if value is None:
        return ""
    if not isinstance(value, str):
        return dump_json(value)
    return f"'{value}" if value.startswith(_EXECUTED) and not _is_number(value) else value


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return text == text.strip()


def _identity(comparison: Comparison, row: VariantRow) -> dict[str, Any]:
    variants = {f"variant.{node}": variant for node, variant in row.variants.items()}
    return {"experiment": comparison.title, "dataset": row.dataset, "run": row.run.name, **variants}


def _line_record(comparison: Comparison, number: int, cell: VariantLine) -> dict[str, Any]:
    line = cell.line
    assert line is not None
    error = line.error or next((e.error for e in cell.evaluations.values() if e.error), None)
    return {
        **_identity(comparison, cell.row),
        "line_number": number,
        "status": line.status,
        **_line_fields(cell),
        **_error_fields(error),
        "duration_ms": round(line.duration_s * 1000, 3),
        "prompt_tokens": line.usage.prompt_tokens,
        "completion_tokens": line.usage.completion_tokens,
        "total_tokens": line.usage.total_tokens,
        "cost_usd": line.usage.cost_usd,
        "simulated": line.usage.simulated_calls > 0,
    }


def _metrics_record(comparison: Comparison, row: VariantRow) -> dict[str, Any]:
    used = row.evaluated
    return {
        **row.metrics,
        **_identity(comparison, row),
        "key": comparison.key,
        "created_at": comparison.created_at,
        "env": comparison.env,
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


def _line_fields(cell: VariantLine) -> dict[str, Any]:
    assert cell.line is not None
    fields = {f"inputs.{name}": value for name, value in cell.line.inputs.items()}
    fields |= {f"outputs.{name}": value for name, value in cell.line.outputs.items()}
    for evaluator, line in cell.evaluations.items():
        fields |= {f"eval.{evaluator}.{name}": value for name, value in line.outputs.items()}
    return fields


def _error_fields(error: ErrorRecord | None) -> dict[str, Any]:
    if error is None:
        return {}
    return {"error.type": error.type, "error.message": error.message, "error.node": error.node}


def _latency_fields(latency: Latency | None) -> dict[str, float]:
    if latency is None:
        return {}
    found = {"mean": latency.mean_ms, "p50": latency.p50_ms, "p95": latency.p95_ms}
    return {f"latency_{name}_ms": round(value, 3) for name, value in found.items()}


def _write(path: Path, columns: Sequence[str], records: Iterable[Mapping[str, Any]]) -> Path:
    """Write row by row next to the target, then put it in place. Lone surrogates become escapes."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with temporary.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow([safe_cell(name) for name in columns])
            writer.writerows([safe_cell(record.get(name)) for name in columns] for record in records)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    return path
