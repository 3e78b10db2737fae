"""What each line of a run took, as columns that a mapping reads: ``${run.usage.latency_ms}``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from flowyard.records import LineResult, RunRecord
from flowyard.runs.dataset import Row
from flowyard.runs.results import read_lines

__all__ = ["USAGE_NAMES", "line_usage"]

USAGE_NAMES = (
    *("latency_ms", "cost_usd", "prompt_tokens", "completion_tokens", "total_tokens"),
    *("model_calls", "cached_calls"),
)


def line_usage(run: RunRecord) -> Iterator[Row]:
    """A row for each finished line, ascending, with ``USAGE_NAMES``. Raises StoreError when one is damaged."""
    for line in read_lines(run):
        yield Row(line.line_number, _columns(line))


def _columns(line: LineResult) -> dict[str, Any]:
    """``cost_usd`` counts answers that were kept too, as what they cost when they were made, so that versions can be
    compared; it is None when a model has no known price.
    """
    usage = line.usage
    return {
        "latency_ms": line.duration_s * 1000,
        "cost_usd": None if usage.unpriced_calls else usage.cost_usd + usage.saved_usd,
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.total_tokens,
        "model_calls": usage.calls,
        "cached_calls": usage.cached_calls,
    }
