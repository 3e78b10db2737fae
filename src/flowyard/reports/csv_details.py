"""Every line of every version as a table: ``details.csv``, and one file for each version."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from flowyard.decisions.model import Evidence
from flowyard.records import Comparison, ErrorRecord
from flowyard.reports.csv_cells import open_table
from flowyard.reports.file_names import file_stem
from flowyard.reports.lines import VariantLine, iter_lines
from flowyard.reports.table import DatasetTable, Summary, VariantRow

__all__ = ["IDENTITY", "identity", "identity_columns", "write_details"]

IDENTITY = ("experiment", "key", "env", "dataset", "run", "version")
"""With these columns each table begins, so that rows of several experiments can be put below each other."""

_LINE_END = (
    *("error.type", "error.message", "error.node", "duration_ms"),
    *("prompt_tokens", "completion_tokens", "total_tokens", "cost_usd", "cached_calls", "simulated"),
)
_MOST_HELD_BYTES = 16 * 1024 * 1024
"""Up to so much of stored lines is held while the tables are written, instead of being read once more."""
_MOST_FILES = 200
"""Of more versions than this there is no file each; an open file is held for each while the lines are read."""


def identity_columns(summary: Summary) -> list[str]:
    """The columns that say whose row it is, and which variant each node had."""
    return [*IDENTITY, *(f"variant.{node}" for node in summary.nodes), *_parameter_columns(summary)]


def identity(comparison: Comparison, row: VariantRow) -> dict[str, Any]:
    """The values of ``identity_columns``."""
    return {
        "experiment": comparison.title,
        "key": comparison.key,
        "env": comparison.env,
        "dataset": row.dataset,
        "run": row.run.name,
        "version": row.label,
        **{f"variant.{node}": variant for node, variant in row.variants.items()},
        **{f"parameter.{name}": value for name, value in _parameters(row).items()},
    }


def write_details(comparison: Comparison, summary: Summary, evidence: Evidence | None, folder: Path) -> list[Path]:
    """``details.csv`` with a row for each line of each version, and the same rows as a file for each version."""
    scores = _LineScores(evidence)
    lines = _Lines(summary.datasets)
    columns = _columns(summary, scores, lines)
    whole = folder / "details.csv"
    own = _own_files(summary, folder / "details")
    with ExitStack() as stack:
        everything = stack.enter_context(open_table(whole, columns))
        tables = {name: stack.enter_context(open_table(path, columns)) for name, path in own.items()}
        for number, cell in lines:
            record = _line_record(comparison, number, cell) | scores.of(cell.row, number)
            cells = everything.write(record)
            if cell.row.run.name in tables:
                tables[cell.row.run.name].put(cells)
    return [whole, *own.values()]


def _columns(summary: Summary, scores: _LineScores, lines: _Lines) -> list[str]:
    names = dict.fromkeys(name for _, cell in lines for name in _line_fields(cell))
    fields = [name for kind in ("inputs.", "outputs.", "eval.") for name in names if name.startswith(kind)]
    return [*identity_columns(summary), "line_number", "status", *fields, *scores.columns, *_LINE_END]


def _own_files(summary: Summary, folder: Path) -> dict[str, Path]:
    """``{run: file}``; empty when there is one version only, which ``details.csv`` shows alone."""
    rows = summary.rows
    if not 1 < len(rows) <= _MOST_FILES:
        return {}
    folder.mkdir(exist_ok=True)
    return {row.run.name: folder / f"{file_stem(row.dataset, row.label)}.csv" for row in rows}


class _Lines:
    """Every line of every version, with its number, as often as it is asked for: from memory where they are few."""

    def __init__(self, tables: Sequence[DatasetTable]) -> None:
        self._tables = tables
        runs = [
            run for table in tables for row in table.rows for run in (row.run, *(use.run for use in row.evaluations))
        ]
        sizes = (run.lines_path.stat().st_size for run in runs if run.lines_path.exists())
        self._held = list(self._read()) if sum(sizes) <= _MOST_HELD_BYTES else None

    def __iter__(self) -> Iterator[tuple[int, VariantLine]]:
        return self._read() if self._held is None else iter(self._held)

    def _read(self) -> Iterator[tuple[int, VariantLine]]:
        for table in self._tables:
            for line in iter_lines(table):
                for cell in line.cells:
                    if cell.line is not None:
                        yield line.line_number, cell


class _LineScores:
    """What each line counts in each metric, as columns ``score.<metric>``."""

    def __init__(self, evidence: Evidence | None) -> None:
        self._found: dict[tuple[str, str], list[tuple[str, Mapping[int, float]]]] = {}
        names: dict[str, None] = {}
        for scores in evidence.scores if evidence else ():
            names[f"score.{scores.metric.name}"] = None
            for version, values in scores.values.items():
                by_line = dict(zip(scores.lines, values, strict=True))
                found = self._found.setdefault((scores.dataset, version), [])
                found.append((f"score.{scores.metric.name}", by_line))
        self.columns = tuple(names)

    def of(self, row: VariantRow, number: int) -> dict[str, float | None]:
        known = self._found.get((row.dataset, row.label)) or self._found.get((row.dataset, row.run.name), [])
        return {name: values.get(number) for name, values in known}


def _parameters(row: VariantRow) -> Mapping[str, Any]:
    return row.run.parameters


def _parameter_columns(summary: Summary) -> list[str]:
    return list(dict.fromkeys(f"parameter.{name}" for row in summary.rows for name in _parameters(row)))


def _line_record(comparison: Comparison, number: int, cell: VariantLine) -> dict[str, Any]:
    line = cell.line
    assert line is not None
    error = line.error or next((e.error for e in cell.evaluations.values() if e.error), None)
    return {
        **identity(comparison, cell.row),
        "line_number": number,
        "status": line.status,
        **_line_fields(cell),
        **_error_fields(error),
        "duration_ms": round(line.duration_s * 1000, 3),
        "prompt_tokens": line.usage.prompt_tokens,
        "completion_tokens": line.usage.completion_tokens,
        "total_tokens": line.usage.total_tokens,
        "cost_usd": line.usage.cost_usd,
        "cached_calls": line.usage.cached_calls,
        "simulated": line.usage.simulated_calls > 0,
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
