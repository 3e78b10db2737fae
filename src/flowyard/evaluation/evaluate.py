"""Evaluating one run by one evaluation flow."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from flowyard.evaluation.whole_run import judges_whole_runs, write_whole_run_row
from flowyard.flows.model import Flow
from flowyard.records import RunRecord
from flowyard.runs.dataset import DataSource
from flowyard.runs.options import RunOptions
from flowyard.runs.run import RunParts, RunRequest, execute_run, resume_run

__all__ = ["evaluate", "new_evaluation_name"]


async def evaluate(
    base: RunRecord,
    flow: Path | Flow,
    data: DataSource,
    mapping: Mapping[str, Any],
    parts: RunParts,
    *,
    name: str | None = None,
    options: RunOptions | None = None,
    properties: Mapping[str, Any] | None = None,
    earlier: str | None = None,
) -> RunRecord:
    """Run an evaluation flow over the lines that ``base`` completed; its metrics are in the record.

    ``properties`` are those of an ``EvaluatorSubject``: what the record says of what judged.

    Lines that failed in the base run are not in the evaluation: compare ``lines.total`` of both to see the coverage.
    ``earlier`` is the evaluation of the same run before it had more lines: it goes on in its own place.
    """
    is_whole = isinstance(flow, Flow) and judges_whole_runs(flow)
    if is_whole:
        name = name or new_evaluation_name(base, flow.name)
        data, mapping = write_whole_run_row(base, name, data, mapping), {}
        if earlier is not None:  # it judged fewer lines all at once, so nothing of it is left
            parts.store.delete_run(earlier)
            earlier = None
    request = RunRequest(
        flow=flow,
        data=data,
        column_mapping=mapping,
        base_run=None if is_whole else base.name,
        name=name,
        dataset=base.dataset,
        role="evaluation",
        options=options or RunOptions(),
        properties=properties or {},
    )
    if earlier is not None:
        return await resume_run(earlier, request, parts, more_lines=True)
    return await execute_run(request, parts)


def new_evaluation_name(base: RunRecord, evaluator: str) -> str:
    """``<run>_<evaluator>_<time to the microsecond>``, in letters that a run's name may have."""
    readable = re.sub(r"[^A-Za-z0-9._-]", "_", f"{base.name[:100]}_{evaluator[:60]}")
    return f"{readable}_{datetime.now(UTC):%Y%m%d_%H%M%S_%f}"
