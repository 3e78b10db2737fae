"""The lines of runs as rows of a table that Python code filters and counts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from flowyard.records import LineResult

__all__ = ["LINE_COLUMNS", "line_columns", "line_rows"]

LINE_COLUMNS = ("line_number", "status")
"""What every table of lines begins with."""


def line_rows(lines: Iterable[LineResult], **before: Any) -> Iterator[dict[str, Any]]:
    """One row a line: ``before``, ``line_number``, ``status``, ``inputs.x``, ``outputs.y``, ``error``, then figures.

    The figures are ``duration_ms``, ``total_tokens`` and ``cost_usd``. A failed line has no outputs.
    """
    for line in lines:
        yield {
            **before,
            "line_number": line.line_number,
            "status": line.status,
            **{f"inputs.{name}": value for name, value in line.inputs.items()},
            **{f"outputs.{name}": value for name, value in line.outputs.items()},
            "error": f"{line.error.type}: {line.error.message}" if line.error else None,
            "duration_ms": round(line.duration_s * 1000, 3),
            "total_tokens": line.usage.total_tokens,
            "cost_usd": line.usage.cost_usd,
        }


def line_columns(rows: Iterable[dict[str, Any]], before: Iterable[str] = ()) -> list[str]:
    """The columns of such rows in a fixed order: what lines have in common, inputs, outputs, figures."""
    names = dict.fromkeys(name for row in rows for name in row)
    fields = [name for kind in ("inputs.", "outputs.") for name in names if name.startswith(kind)]
    return [*before, *LINE_COLUMNS, *fields, "error", "duration_ms", "total_tokens", "cost_usd"]
