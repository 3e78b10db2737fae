"""One run from its request to its record."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import takewhile
from pathlib import Path
from typing import Any, Protocol

from flowyard.abc import Provider, Store
from flowyard.engine import LineRunner, prepare
from flowyard.engine.runner import LineCollector
from flowyard.errors import StoreError, UserError
from flowyard.flows import DagFlow, Flow, load_flow
from flowyard.flows.overrides import override_connections
from flowyard.llm.connection import Connection
from flowyard.llm.sources import Connections
from flowyard.media import MediaWriter, UrlRules
from flowyard.records import LineCounts, LineResult, LineTask, RunRecord, RunRole, Usage
from flowyard.runs.batch import run_lines
from flowyard.runs.budget import Budget
from flowyard.runs.dataset import require_data_file
from flowyard.runs.mapping import LinePlan, plan_lines
from flowyard.runs.naming import expand_display_name
from flowyard.runs.results import ResultWriter, write_outputs
from flowyard.runs.resume import find_earlier, remaining_tasks, require_same_lines

__all__ = ["Progress", "RunParts", "RunRequest", "execute_run", "new_run_name", "require_name"]

_NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._+@=-]{0,199}$")


@dataclass(frozen=True, slots=True)
class RunRequest:
    """What to run: a flow on disk, or one that is loaded already.

    ``variant`` selects ``{node: variant}``; nodes that are not named use their defaults. ``init`` are the arguments of
    a flow that is a class. ``environment_variables`` go over those of the flow, ``connections`` (``{node: {field:
    value}}``) over what its nodes name. ``resume_from`` is the run whose completed lines are taken over.
    """

    flow: Path | Flow
    data: Path | None = None
    column_mapping: Mapping[str, Any] = field(default_factory=dict)
    variant: Mapping[str, str] = field(default_factory=dict)
    init: Mapping[str, Any] = field(default_factory=dict)
    base_run: str | None = None
    name: str | None = None
    display_name: str | None = None
    dataset: str | None = None
    role: RunRole = "run"
    concurrency: int = 16
    environment_variables: Mapping[str, Any] = field(default_factory=dict)
    connections: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    description: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    properties: Mapping[str, Any] = field(default_factory=dict)
    resume_from: str | None = None


class Progress(Protocol):
    """Is told how a run goes; what it shows is its own affair."""

    def start(self, run: RunRecord, total: int) -> None:
        """The run begins."""

    def line(self, result: LineResult) -> None:
        """A line ended."""

    def end(self, run: RunRecord) -> None:
        """The run ended, however it did."""


@dataclass(frozen=True, slots=True)
class RunParts:
    """What a run needs from outside: where connections come from, how providers open, where records go, who watches.

    ``urls`` says where pictures may be downloaded from, ``budget`` when no more lines are taken; it is for all runs
    with these parts together.
    """

    connections: Connections
    open_provider: Callable[[Connection], Provider]
    store: Store
    progress: Progress
    urls: UrlRules = UrlRules()
    budget: Budget = field(default_factory=Budget)


async def execute_run(request: RunRequest, parts: RunParts) -> RunRecord:
    """Check everything, then run every line, then the aggregation nodes; returns the stored record.

    Nothing is written when the request is wrong (UserError). When canceled, what is finished stays on disk, the record
    says ``canceled``, and the cancellation goes on.
    """
    flow = _flow(request)
    base = _completed_base(request, parts.store)
    earlier = find_earlier(request.resume_from, parts.store)
    if request.data is not None:
        require_data_file(request.data)
    threads = max(16, request.concurrency)
    runner = await prepare(
        flow, parts.connections, parts.open_provider, init=request.init, threads=threads, urls=parts.urls
    )
    try:
        plan = plan_lines(runner.flow, request.data, base, request.column_mapping)
        require_same_lines(earlier, plan.total)
        if not runner.flow.inputs and isinstance(runner.flow, DagFlow):
            raise UserError(f"Flow {flow.name!r} has no inputs, so it cannot be run over data.")
        run = parts.store.create_run(_new_record(request, runner, plan))
        return await _Execution(runner, run, parts).go(plan, request.concurrency, earlier)
    finally:
        await runner.close()


def _flow(request: RunRequest) -> Flow:
    """The flow with what the request changes in it."""
    flow = request.flow if isinstance(request.flow, Flow) else load_flow(request.flow, request.variant)
    flow = override_connections(flow, request.connections)
    return replace(flow, environment_variables={**flow.environment_variables, **request.environment_variables})


def _completed_base(request: RunRequest, store: Store) -> RunRecord | None:
    if request.base_run is None:
        if request.data is None:
            raise UserError("There is nothing to run over.", hint="Give --data FILE, or --run NAME to evaluate a run.")
        return None
    base = store.get_run(request.base_run)
    if base.status != "completed":
        raise UserError(f"Run {base.name!r} is {base.status}; only a completed run can be evaluated.")
    return base


def _media_folder(run: RunRecord) -> Path | None:
    """What paths of pictures in the data are relative to; references in a base run's outputs are absolute."""
    if run.data is None:
        return None
    data = Path(run.data)
    return data if data.is_dir() else data.parent


def new_run_name(flow: Flow, request: RunRequest) -> str:
    """``<flow folder>_<chosen variants>_<time to the microsecond>``."""
    named = [flow.chosen[node] for node in sorted(request.variant) if node in flow.chosen]
    chosen = "_".join(named) or ("defaults" if flow.chosen else "")
    stamp = datetime.now(UTC).strftime("%Y%m%d_%H%M%S_%f")
    return re.sub(r"[^A-Za-z0-9._-]", "_", "_".join(filter(None, [flow.folder.resolve().name, chosen, stamp])))


def require_name(name: str) -> str:
    """A run name that is safe as a folder's name. Raises UserError."""
    if not _NAME.match(name):
        raise UserError(f"{name!r} cannot be a run's name.", hint="Use letters, digits and . _ - only, up to 200.")
    return name


def _new_record(request: RunRequest, runner: LineRunner, plan: LinePlan) -> RunRecord:
    flow = runner.flow
    return RunRecord(
        name=require_name(request.name) if request.name else new_run_name(flow, request),
        status="running",
        flow=str(flow.file.resolve()),
        path=Path(),
        role=request.role,
        display_name=expand_display_name(request.display_name, base_run=request.base_run, selected=request.variant),
        data=str(request.data.resolve()) if request.data else None,
        dataset=request.dataset,
        variant=", ".join(f"{node}={variant}" for node, variant in flow.chosen.items()) or None,
        base_run=request.base_run,
        column_mapping=dict(request.column_mapping),
        created_at=datetime.now(UTC).isoformat(),
        lines=LineCounts(total=plan.total),
        warnings=(*runner.warnings, *plan.warnings),
        description=request.description,
        tags=dict(request.tags),
        properties=dict(request.properties),
        assignment=dict(flow.chosen),
        connections={node: dict(fields) for node, fields in request.connections.items()},
        environment_names=tuple(request.environment_variables),
        init_names=tuple(request.init),
        resumed_from=request.resume_from,
    )


class _Execution:
    """The lines of one run under way: counts them, writes them, and closes the record."""

    def __init__(self, runner: LineRunner, run: RunRecord, parts: RunParts) -> None:
        self.runner = runner
        self.run = run
        self.parts = parts
        self.collected: LineCollector = runner.aggregation_inputs()
        self.completed = self.failed = 0
        self.usage = Usage()
        self.started = time.perf_counter()

    async def go(self, plan: LinePlan, concurrency: int, earlier: RunRecord | None) -> RunRecord:
        self.parts.progress.start(self.run, plan.total)
        try:
            media = MediaWriter(self.run.path / "media", self.runner.flow.message_format, relative=False)
            with ResultWriter(self.run.lines_path, self.parts.connections.secrets, media) as writer:

                def on_line(result: LineResult) -> None:
                    self._count(writer.append(result))

                tasks = remaining_tasks(self._in_data_folder(plan.tasks), earlier, on_line)
                affordable = takewhile(lambda _: not self.parts.budget.is_over, tasks)
                await run_lines(self.runner, affordable, on_line, concurrency=concurrency)
            if self.parts.budget.is_over and self.completed + self.failed < plan.total:
                return self._close(status="canceled")
            aggregation = await self.runner.run_aggregation(self.collected)
            self.usage += aggregation.usage + self.runner.unclaimed_usage
            self.run = replace(self.run, warnings=(*self.run.warnings, *aggregation.warnings))
            return self._close(status="completed", metrics=aggregation.metrics, errors=aggregation.errors)
        except (asyncio.CancelledError, KeyboardInterrupt):
            self._close(status="canceled")
            raise
        except BaseException:
            self._close(status="failed")
            raise

    def _in_data_folder(self, tasks: Iterator[LineTask]) -> Iterator[LineTask]:
        """The tasks, with paths of pictures that are relative to the data."""
        folder = _media_folder(self.run)
        return (replace(task, folder=folder) for task in tasks)

    def _count(self, result: LineResult) -> None:
        self.completed += result.status == "completed"
        self.failed += result.status == "failed"
        self.usage += result.usage
        self.parts.budget.spent(result.usage)
        self.collected.add(result)
        self.parts.progress.line(result)

    def _close(self, **changes: Any) -> RunRecord:
        ended = self.completed + self.failed
        total = ended if changes["status"] == "completed" else max(self.run.lines.total, ended)
        missing = self.run.lines.total - ended
        warnings = [*self.run.warnings, *self.runner.late_warnings(), *self.parts.budget.notes()]
        if changes["status"] == "completed" and missing > 0:
            warnings.append(f"{missing} lines were not run: a source has no row for them.")
        run = replace(
            self.run,
            lines=LineCounts(total, self.completed, self.failed),
            usage=self.usage,
            ended_at=datetime.now(UTC).isoformat(),
            duration_s=time.perf_counter() - self.started,
            warnings=tuple(warnings),
            **changes,
        )
        try:
            write_outputs(run)
        except OSError as error:
            self.parts.store.save_run(replace(run, status="failed"))
            raise StoreError(f"Cannot write the outputs of run {run.name!r}: {error.strerror}.") from error
        self.parts.store.save_run(run)
        self.parts.progress.end(run)
        return run
