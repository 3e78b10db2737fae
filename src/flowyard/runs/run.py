"""One run from its request to its record."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from flowyard.abc import Provider, Store
from flowyard.errors import UserError
from flowyard.flows import DagFlow, FlexFlow, Flow
from flowyard.flows.labels import selection_label
from flowyard.flows.load import load_flow
from flowyard.flows.overrides import override_connections
from flowyard.flows.parameters import apply_parameters
from flowyard.llm.connection import Connection
from flowyard.llm.connections import Connections
from flowyard.media.urls import UrlRules
from flowyard.records import LineCounts, RunRecord, RunRole
from flowyard.runs.budget import Budget
from flowyard.runs.dataset import DataSource, recorded_source, require_data_file
from flowyard.runs.execution import Execution, Progress
from flowyard.runs.mapping import LinePlan, plan_lines
from flowyard.runs.naming import expand_display_name
from flowyard.runs.options import RunOptions
from flowyard.runs.resume import (
    find_earlier,
    is_nothing_left,
    recover,
    require_same_lines,
    require_same_versions,
    taken_over,
)
from flowyard.runs.versions import data_digest, flow_digest
from flowyard.sessions.local import SessionOpener, open_inline
from flowyard.sessions.session import Session, SessionRequest

__all__ = [
    "Progress",
    "RunParts",
    "RunRequest",
    "execute_run",
    "new_run_name",
    "require_name",
    "resume_run",
    "session_request",
]

_NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._+@=-]{0,199}$")


@dataclass(frozen=True, slots=True)
class RunRequest:
    """What to run: a flow on disk, or one that is loaded already.

    ``variant`` selects ``{node: variant}``; nodes that are not named use their defaults. ``init`` are the arguments of
    a flow that is a class. ``environment_variables`` go over those of the flow, ``connections`` (``{node: {field:
    value}}``) over what its nodes name, ``parameters`` over single values of the flow (``flows/parameters.py`` has the
    names); they are recorded. ``resume_from`` is the run whose completed lines are taken over. Of ``lines`` only those
    with these numbers are run, for now: ``resume_run`` with ``more_lines`` goes on with others.
    """

    flow: Path | Flow
    data: DataSource | None = None
    column_mapping: Mapping[str, Any] = field(default_factory=dict)
    variant: Mapping[str, str] = field(default_factory=dict)
    init: Mapping[str, Any] = field(default_factory=dict)
    base_run: str | None = None
    name: str | None = None
    display_name: str | None = None
    dataset: str | None = None
    role: RunRole = "run"
    options: RunOptions = RunOptions()
    environment_variables: Mapping[str, Any] = field(default_factory=dict)
    connections: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    description: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    properties: Mapping[str, Any] = field(default_factory=dict)
    resume_from: str | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)
    lines: frozenset[int] | None = None


@dataclass(frozen=True, slots=True)
class RunParts:
    """What a run needs from outside: where connections come from, how providers open, where records go, who watches.

    ``urls`` says where pictures may be downloaded from, ``open_session`` where lines run,
    ``budget`` when no more lines are taken; it is for all runs with these parts together.
    """

    connections: Connections
    open_provider: Callable[[Connection], Provider]
    store: Store
    progress: Progress
    urls: UrlRules = UrlRules()
    open_session: SessionOpener = open_inline
    budget: Budget = field(default_factory=Budget)


async def execute_run(request: RunRequest, parts: RunParts) -> RunRecord:
    """Check everything, then run every line, then the aggregation nodes; returns the stored record.

    Nothing is written when the request is wrong (UserError). When canceled, what is finished stays on disk, the record
    says ``canceled``, and the cancellation goes on.
    """
    earlier = find_earlier(request.resume_from, parts.store)
    flow = _flow(request)
    async with _started(flow, request, parts) as session:
        of_flow = flow_digest(flow, request.parameters)  # while the worker gets ready
        of_data = _data_digest(request, parts.store)
        flow, plan = await _ready(session, flow, request, parts)
        require_same_lines(earlier, plan.total)
        record = replace(_new_record(request, flow, session.warnings, plan), flow_digest=of_flow, data_digest=of_data)
        with parts.store.hold(record.name) as hold:
            run = parts.store.create_run(record)
            execution = Execution(session, run, parts.store, parts.progress, hold, parts.budget)
            return await execution.go(plan, request.options.start_concurrency(), taken_over=taken_over(earlier))


async def resume_run(
    name: str,
    request: RunRequest,
    parts: RunParts,
    *,
    retry_failed: bool = False,
    anyway: bool = False,
    more_lines: bool = False,
) -> RunRecord:
    """Go on with a run that was stopped, in its own place: only lines that it has no result of are run.

    ``request`` repeats the run (``repeat_request``). With ``retry_failed``, lines that failed run again. A run of which
    nothing is left is given back as it is. ``more_lines`` says that the same caller asks for lines that the run was not
    to have before, so that neither its end nor what it reads is as it was. Raises Conflict while somebody else runs it,
    and, unless ``anyway`` or ``more_lines``, UserError when its flow or its data changed.
    """
    with parts.store.hold(name) as hold:
        earlier = parts.store.get_run(name)
        found, lines = recover(earlier, retry_failed=retry_failed)
        if not more_lines and is_nothing_left(earlier, found, retry_failed=retry_failed):
            return earlier
        flow = _flow(request)
        of_flow, of_data = flow_digest(flow, request.parameters), _data_digest(request, parts.store)
        changes = [] if more_lines else require_same_versions(earlier, of_flow, of_data, anyway=anyway)
        async with _started(flow, request, parts) as session:
            _, plan = await _ready(session, flow, request, parts)
            if not anyway and not more_lines:
                require_same_lines(earlier, plan.total)
            if found.damaged:
                changes.append(f"{found.damaged} stored lines were damaged, and run again.")
            run = replace(
                earlier,
                status="running",
                ended_at=None,
                metrics={},
                errors=(),
                lines=replace(earlier.lines, total=plan.total),
                warnings=tuple(dict.fromkeys([*session.warnings, *plan.warnings, *changes])),
                flow_digest=of_flow,
                data_digest=of_data,
            )
            execution = Execution(session, run, parts.store, parts.progress, hold, parts.budget)
            for line in lines:
                execution.count_done(line)
            parts.store.save_run(run)
            return await execution.go(plan, request.options.start_concurrency(), done=found.done)


@asynccontextmanager
async def _started(flow: Flow, request: RunRequest, parts: RunParts) -> AsyncIterator[Session]:
    """The session of a request, which has begun to prepare the flow. Raises UserError, OutsideError."""
    _completed_base(request, parts.store)
    if request.data is not None:
        require_data_file(request.data)
    session = parts.open_session(session_request(flow, parts, request.options, request.init))
    try:
        yield session
    finally:
        await session.close()


async def _ready(session: Session, flow: Flow, request: RunRequest, parts: RunParts) -> tuple[Flow, LinePlan]:
    """The flow when it is prepared, with all that its code declares, and the lines; checked."""
    base = _completed_base(request, parts.store)
    if isinstance(flow, FlexFlow):  # only its code knows its inputs
        flow = await session.ready()
    plan = _only(plan_lines(flow, request.data, base, request.column_mapping), request.lines)
    flow = await session.ready()
    if not flow.inputs and isinstance(flow, DagFlow):
        raise UserError(f"Flow {flow.name!r} has no inputs, so it cannot be run over data.")
    return flow, plan


def _only(plan: LinePlan, lines: frozenset[int] | None) -> LinePlan:
    """The plan without the lines that are not to be run now."""
    if lines is None:
        return plan
    tasks = (task for task in plan.tasks if task.line_number in lines)
    return replace(plan, total=min(plan.total, len(lines)), tasks=tasks)


def session_request(
    flow: Flow, parts: RunParts, options: RunOptions, init: Mapping[str, Any] | None = None
) -> SessionRequest:
    """What a session of that flow is asked for; ``init`` are the arguments of a flow that is a class."""
    return SessionRequest(
        flow,
        parts.connections,
        parts.open_provider,
        init=init or {},
        urls=parts.urls,
        most_at_once=options.most_at_once,
        line_timeout_s=options.line_timeout_s,
    )


def _flow(request: RunRequest) -> Flow:
    """The flow with what the request changes in it."""
    flow = request.flow if isinstance(request.flow, Flow) else load_flow(request.flow, request.variant)
    flow = override_connections(apply_parameters(flow, request.parameters), request.connections)
    return replace(flow, environment_variables={**flow.environment_variables, **request.environment_variables})


def _data_digest(request: RunRequest, store: Store) -> str | None:
    """The version of all that lines are made of: the data, and the outputs of the run that is evaluated."""
    sources: list[DataSource] = [request.data] if request.data is not None else []
    if request.base_run is not None:
        sources.append(store.get_run(request.base_run).outputs_path)
    return " ".join(map(data_digest, sources)) or None


def _completed_base(request: RunRequest, store: Store) -> RunRecord | None:
    if request.base_run is None:
        if request.data is None:
            raise UserError("There is nothing to run over.", hint="Give --data FILE, or --run NAME to evaluate a run.")
        return None
    base = store.get_run(request.base_run)
    if base.status != "completed":
        raise UserError(f"Run {base.name!r} is {base.status}; only a completed run can be evaluated.")
    return base


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


def _new_record(request: RunRequest, flow: Flow, warnings: tuple[str, ...], plan: LinePlan) -> RunRecord:
    return RunRecord(
        name=require_name(request.name) if request.name else new_run_name(flow, request),
        status="running",
        flow=str(flow.file.resolve()),
        path=Path(),
        role=request.role,
        display_name=expand_display_name(request.display_name, base_run=request.base_run, selected=request.variant),
        data=recorded_source(request.data) if request.data else None,
        dataset=request.dataset,
        variant=selection_label(flow.chosen, request.parameters) if flow.chosen or request.parameters else None,
        base_run=request.base_run,
        column_mapping=dict(request.column_mapping),
        created_at=datetime.now(UTC).isoformat(),
        lines=LineCounts(total=plan.total),
        warnings=(*warnings, *plan.warnings),
        description=request.description,
        tags=dict(request.tags),
        properties=dict(request.properties),
        assignment=dict(flow.chosen),
        connections={node: dict(fields) for node, fields in request.connections.items()},
        environment_names=tuple(request.environment_variables),
        init_names=tuple(request.init),
        resumed_from=request.resume_from,
        parameters=dict(request.parameters),
    )
