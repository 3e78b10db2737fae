"""Evaluators over a data file, or over what a target makes of it: a row for each row of the data, and metrics.

The target and each evaluator are ordinary runs, so what they did line by line is kept in the store.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from flowyard.engine import prepare
from flowyard.evaluation.evaluator_mapping import EvaluatorMapping, require_columns
from flowyard.evaluation.table import DataTable, EvaluationTable, RunLines, read_table
from flowyard.flows import Flow
from flowyard.records import RunRecord
from flowyard.runs.dataset import DataSource
from flowyard.runs.options import RunOptions
from flowyard.runs.run import RunParts, RunRequest, execute_run, new_run_name

__all__ = ["DataEvaluation", "evaluate_data"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DataEvaluation:
    """What to evaluate: the data, or what ``target`` makes of it, and by which evaluators, each under an alias.

    ``target`` may be a run that was made over the data already; its outputs are then evaluated.
    ``mappings`` are column mappings by alias, with ``${data.x}`` and ``${target.y}``; ``default`` holds for evaluators
    without one. ``name`` becomes the display name of the runs.
    """

    data: DataSource
    evaluators: Mapping[str, Flow]
    target: Flow | RunRecord | None = None
    mappings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    name: str | None = None
    options: RunOptions = RunOptions()


async def evaluate_data(request: DataEvaluation, parts: RunParts) -> EvaluationTable:
    """Check everything that can be known, then run the target, then all evaluators at once.

    A row that fails stays in the table without values and is left out of the means, and a warning counts it. Raises
    UserError before anything is run when data, mappings, flows or their connections are wrong.
    """
    return await _Evaluation(request, parts).go()


class _Evaluation:
    """One evaluation under way."""

    def __init__(self, request: DataEvaluation, parts: RunParts) -> None:
        self._request = request
        self._parts = parts
        self._mapping = EvaluatorMapping(request.mappings, has_target=request.target is not None)

    async def go(self) -> EvaluationTable:
        request = self._request
        data = DataTable.read(request.data)
        evaluators = {alias: await self._described(flow) for alias, flow in request.evaluators.items()}
        self._check(evaluators, data, () if request.target is None else None)
        target = None
        if request.target is not None:
            target = RunLines(await self._target_run(request.target, data))
            target.require_some()
            self._check(evaluators, data, target.columns)
        outputs = target.columns if target else []
        runs = await self._run_evaluators(evaluators, target, outputs)
        lines = {alias: RunLines(run) for alias, run in runs.items()}
        return read_table(data, target, lines, self._mapping.unused(request.evaluators))

    async def _described(self, flow: Flow) -> Flow:
        """The flow with all of its inputs, and the certainty that it can be run."""
        runner = await prepare(flow, self._parts.connections, self._parts.open_provider)
        await runner.close()
        return runner.flow

    def _check(self, evaluators: Mapping[str, Flow], data: DataTable, outputs: list[str] | tuple[()] | None) -> None:
        for alias, flow in evaluators.items():
            mapping = self._mapping.of(alias, flow, outputs or ())
            require_columns(f"evaluator {alias!r}", flow, mapping, data.columns, outputs)

    async def _target_run(self, target: Flow | RunRecord, data: DataTable) -> RunRecord:
        data.require_no_outputs()
        return target if isinstance(target, RunRecord) else await self._run_target(target, data)

    async def _run_target(self, target: Flow, data: DataTable) -> RunRecord:
        require_columns("the target", await self._described(target), {}, data.columns)
        request = self._request
        wanted = RunRequest(flow=target, data=request.data, display_name=request.name, options=request.options)
        return await execute_run(wanted, self._parts)

    async def _run_evaluators(
        self, evaluators: Mapping[str, Flow], target: RunLines | None, outputs: list[str]
    ) -> dict[str, RunRecord]:
        wanted = {
            alias: self._evaluator_run(place, alias, evaluators[alias], target, outputs)
            for place, alias in enumerate(self._request.evaluators)
        }
        try:
            async with asyncio.TaskGroup() as group:
                runs = {alias: group.create_task(execute_run(each, self._parts)) for alias, each in wanted.items()}
        except BaseExceptionGroup as group_error:  # the first reason is what should be said
            raise group_error.exceptions[0] from None
        return {alias: run.result() for alias, run in runs.items()}

    def _evaluator_run(
        self, place: int, alias: str, described: Flow, target: RunLines | None, outputs: list[str]
    ) -> RunRequest:
        request = self._request
        wanted = RunRequest(
            flow=request.evaluators[alias],
            data=request.data,
            column_mapping=self._mapping.of(alias, described, outputs),
            base_run=target.run.name if target else None,
            display_name=request.name,
            role="evaluation",
            options=request.options,
        )
        # They start within a microsecond of each other, from one folder: the alias keeps their names apart.
        name = f"{new_run_name(described, wanted)}_{place}_{re.sub(r'[^A-Za-z0-9_-]', '_', alias)}"[-200:].lstrip("._-")
        return replace(wanted, name=name)
