"""Evaluating one run by one evaluation flow."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flowyard.flows.model import Flow
from flowyard.records import RunRecord
from flowyard.runs.dataset import DataSource
from flowyard.runs.options import RunOptions
from flowyard.runs.run import RunParts, RunRequest, execute_run, resume_run

__all__ = ["evaluate"]


async def evaluate(
    base: RunRecord,
    flow: Path | Flow,
    data: DataSource,
    mapping: Mapping[str, Any],
    parts: RunParts,
    *,
    name: str | None = None,
    options: RunOptions | None = None,
    earlier: str | None = None,
) -> RunRecord:
    """Run an evaluation flow over the lines that ``base`` completed; its metrics are in the record.

    Lines that failed in the base run are not in the evaluation: compare ``lines.total`` of both to see the coverage.
    ``earlier`` is the evaluation of the same run before it had more lines: it goes on in its own place.
    """
    request = RunRequest(
        flow=flow,
        data=data,
        column_mapping=mapping,
        base_run=base.name,
        name=name,
        dataset=base.dataset,
        role="evaluation",
        options=options or RunOptions(),
    )
    if earlier is not None:
        return await resume_run(earlier, request, parts, more_lines=True)
    return await execute_run(request, parts)
