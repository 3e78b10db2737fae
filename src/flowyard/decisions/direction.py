"""Which way a metric is better, where nobody says it: by the evaluator that gives it, or told by its name alone."""

from __future__ import annotations

import re

from flowyard.decisions.linking import Link
from flowyard.evaluation.builtin.catalogue import find_measure
from flowyard.evaluation.builtin.entry import EvaluatorMetric, EvaluatorOutput
from flowyard.records import RunRecord

__all__ = ["Stated", "find_stated", "lower_is_better"]

Stated = EvaluatorOutput | EvaluatorMetric
"""What the catalogue of evaluators says of a value: its bounds, and which direction is the better one."""

_LOWER = re.compile("latency|error|cost|loss|distance|failed|duration|tokens", re.IGNORECASE)


def lower_is_better(metric: str) -> bool:
    """Whether a smaller value of this metric is the better one; told by its name alone."""
    return _LOWER.search(metric) is not None


def find_stated(evaluation: RunRecord, name: str, link: Link | None) -> Stated | None:
    """What the evaluator of a run says of a metric that comes from it as it is; None for one that nobody stated."""
    if link is not None and link.equals is not None:
        return None
    found = find_measure(evaluation.properties, name)
    return found or (find_measure(evaluation.properties, link.column) if link is not None else None)
