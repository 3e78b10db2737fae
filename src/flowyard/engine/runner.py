"""A prepared flow, whatever its kind: one line of inputs in, one line of outputs out."""

from __future__ import annotations

import asyncio
import time
import traceback
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from flowyard._util.redact import redact
from flowyard.engine.code import place_of
from flowyard.engine.environment import FlowEnvironment
from flowyard.engine.host import CodeHost, completed_now
from flowyard.engine.modules import code_owner
from flowyard.engine.threads import CodeThreads
from flowyard.errors import FlowyardError, OutsideError, UserError
from flowyard.flows.coerce import CoercionError, coerce
from flowyard.flows.includes import lost_files
from flowyard.flows.model import Flow, Input
from flowyard.llm.call_place import one_line
from flowyard.llm.services import Services, begin_services, end_services
from flowyard.media import load_media, may_hold_media
from flowyard.records import NO_USAGE, AggregationResult, ErrorRecord, LineResult, LineTask, NodeResult, Usage

__all__ = ["LOST", "Execution", "LineCollector", "LineRunner", "Surroundings"]

LOST = (KeyboardInterrupt, asyncio.CancelledError)
"""What ends the work rather than a line."""

_MAY_HOLD_PICTURES = frozenset({"image", "list", "object"})


class LineCollector(ABC):
    """Keeps, of each completed line, what aggregation will read.

    What is picked from a line may have been in another process, or in a file, before it is added.
    """

    is_needed: bool = True
    """Whether aggregation reads anything of lines; when not, nothing needs to be picked or added."""

    @abstractmethod
    def pick(self, line: LineResult) -> Any:
        """What is needed of one completed line."""

    @abstractmethod
    def add(self, line_number: int, picked: Any) -> None:
        """Take what was picked from one line."""


@dataclass(frozen=True, slots=True)
class Execution:
    """What a flow did with one line's inputs.

    ``outputs`` may hold streams when they were asked for. ``is_bare`` says that the flow returned one value without a
    name, which is then the output called ``output``.
    """

    outputs: Mapping[str, Any]
    error: ErrorRecord | None = None
    nodes: tuple[NodeResult, ...] = ()
    usage: Usage = Usage()
    is_bare: bool = False


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a prepared flow stands on; closed with it."""

    services: Services
    host: CodeHost
    environment: FlowEnvironment

    async def close(self) -> None:
        """Close all of it; safe to call again."""
        try:
            await self.services.close()
        finally:
            self.host.close()
            self.environment.restore()


class _Surrounded:
    """A class, because each line enters it: three generators would take a quarter of a short line's time."""

    __slots__ = ("_environment", "_services", "_tokens")

    def __init__(self, services: Services, environment: FlowEnvironment) -> None:
        self._services = services
        self._environment = environment

    def __enter__(self) -> None:
        self._tokens = (begin_services(self._services), self._environment.show(), code_owner.set(None))

    def __exit__(self, *_: object) -> None:
        services, shown, owner = self._tokens
        code_owner.reset(owner)
        self._environment.hide(shown)
        end_services(services)


class LineRunner(ABC):
    """``run_line`` may be called by many tasks of one event loop at once. Close the runner when done.

    ``warnings`` are those of the flow's file and of what was prepared, for a person to read once.
    """

    def __init__(self, flow: Flow, around: Surroundings, warnings: Sequence[str] = ()) -> None:
        self.flow = flow
        self.warnings = (*flow.warnings, *warnings, *around.host.warnings)
        self._around = around
        self._host = around.host
        self._services = around.services
        self._before = NO_USAGE

    @property
    def unclaimed_usage(self) -> Usage:
        """Model calls of this run that belong to no line, such as those of threads that flow code starts by itself."""
        return self._services.unclaimed.total.since(self._before)

    @property
    def spent_usage(self) -> Usage:
        """All model calls that have ended so far, those of streams included, which end after their line."""
        return self._services.spent.total

    async def run_line(self, task: LineTask, *, stream: bool = False) -> LineResult:
        """Run one line. Failing code, or inputs that do not fit, fail the line and raise nothing.

        With ``stream``, outputs that can arrive in pieces are ``TextStream`` objects, to be read once.
        """
        started_at, start = datetime.now(UTC).isoformat(timespec="milliseconds"), time.perf_counter()
        inputs, error = (task.inputs, task.error) if task.error else await self._line_inputs(task)
        done = Execution({}, error)
        if error is None:
            with self._surroundings(), one_line(task.line_number):
                done = await self._execute(inputs, task.line_number, stream=stream)
        return LineResult(
            line_number=task.line_number,
            status="failed" if done.error else "completed",
            inputs=inputs,
            outputs={} if done.error else done.outputs,
            error=done.error,
            nodes=done.nodes,
            duration_s=time.perf_counter() - start,
            usage=done.usage,
            started_at=started_at,
            is_bare=done.is_bare,
        )

    def failure(self, error: BaseException) -> ErrorRecord:
        """What a stream of a line raised while it was read, as failures of lines are stored."""
        return self._record(error, None)

    @abstractmethod
    async def _execute(self, inputs: Mapping[str, Any], line_number: int, *, stream: bool) -> Execution:
        """Run the flow on complete, coerced inputs. Raises nothing that user code raised."""

    async def run_node(self, name: str, values: Mapping[str, Any]) -> NodeResult:
        """Run one node alone with given values for its inputs (by parameter name). Raises UserError without nodes."""
        raise UserError(f"{self.flow.file.name} has no nodes, so {name!r} cannot be run alone ({len(values)} values).")

    @abstractmethod
    def aggregation_inputs(self) -> LineCollector:
        """An empty collector for the lines of one run."""

    @abstractmethod
    async def run_aggregation(self, collected: LineCollector) -> AggregationResult:
        """Aggregate what ``aggregation_inputs`` collected."""

    def late_warnings(self) -> tuple[str, ...]:
        """What only shows after lines ran: files that the code wrote where they will be deleted."""
        return lost_files(self.flow)

    def begin_run(self) -> None:
        """Forget what was noted and counted of an earlier run."""
        self._before = self._services.unclaimed.total

    def stream_warnings(self) -> tuple[str, ...]:
        """Why outputs that could arrive in pieces will not, for a caller who wants them to."""
        return ()

    @property
    def is_simulated(self) -> bool:
        """Whether a simulated model answers in place of a real one."""
        return self._services.connections.has_simulated

    def secrets(self) -> list[str]:
        """Every secret of the connections in use, for redaction."""
        return self._services.connections.secrets()

    @property
    def runs_plainly(self) -> bool:
        """Whether a line is plain code from its beginning to its end, so that one thread can run it alone."""
        return False

    def run_line_here(self, task: LineTask) -> LineResult:
        """``run_line`` in the calling thread, without an event loop; for ``line_threads`` of flows that run plainly."""
        with self._host.staying():
            return completed_now(self.run_line(task))

    async def until_code_responds(self) -> None:
        """Wait while the flow's asynchronous code blocks its event loop, which may be forever."""
        await self._host.until_loop_responds()

    @property
    def line_threads(self) -> CodeThreads:
        """The threads of the flow's code."""
        return self._host.threads

    async def close(self) -> None:
        """Close connections and let threads end; a tool that is still running is not waited for."""
        await self._around.close()

    def _surroundings(self) -> AbstractContextManager[None]:
        """Inside the block, code has the flow's services and environment."""
        return _Surrounded(self._services, self._around.environment)

    async def _line_inputs(self, task: LineTask) -> tuple[dict[str, Any], ErrorRecord | None]:
        """The inputs, or the flow's sample for none at all, with defaults, of their types and pictures loaded; or why
        there are none. Whoever calls over a network means no sample.
        """
        given = task.inputs
        values = dict(given or ({} if task.from_network else self.flow.stand_in))
        for name, declared in self.flow.inputs.items():
            if name not in values:
                if declared.required:
                    message = (
                        f"Required input {name!r} ({declared.type}) is missing. Given: {', '.join(given) or 'none'}."
                    )
                    return values, ErrorRecord("InputMissing", message, where=declared.where)
                values[name] = declared.default
            if values[name] is None and declared.nullable:
                continue
            folder = _pictures_folder(task, self.flow.folder) if name in given else self.flow.folder
            try:
                values[name] = await self._with_pictures(declared, self._typed(declared, values[name]), folder)
            except CoercionError as error:
                return values, ErrorRecord("InputInvalid", f"Input {name!r}: {error}", where=declared.where)
            except (UserError, OutsideError) as error:
                kind = "InputInvalid" if isinstance(error, UserError) else type(error).__name__
                return values, ErrorRecord(kind, error.message, where=declared.where)
        return values, None

    async def _with_pictures(self, declared: Input, value: Any, folder: Path | None) -> Any:
        """The value of an input with its pictures loaded; texts are never searched for them."""
        if declared.type not in _MAY_HOLD_PICTURES:
            return value
        if declared.type != "image" and not may_hold_media(value):
            return value
        return await self._host.elsewhere(
            load_media(
                value,
                folder=folder,
                urls=self._services.urls,
                as_image=declared.type == "image",
                format=self.flow.message_format,
                name=declared.name,
            )
        )

    def _typed(self, declared: Input, value: Any) -> Any:
        """A value as its input declares it. Raises CoercionError."""
        return coerce(value, declared.type)

    def _record(self, error: BaseException, where: str | None, node: str | None = None) -> ErrorRecord:
        """A failure of user code as it is stored: secrets hidden, with its place in the flow's files."""
        secrets = self._services.connections.secrets()
        known = isinstance(error, FlowyardError)
        trace = None if known else redact("".join(traceback.format_exception(error)[-6:]), secrets)
        kind = type(error).__name__
        place = place_of(error, self.flow.folder) or where
        return ErrorRecord(kind, redact(str(error) or kind, secrets), node, place, trace)


def _pictures_folder(task: LineTask, flow_folder: Path) -> Path | None:
    return None if task.from_network else task.folder or flow_folder
