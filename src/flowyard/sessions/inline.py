"""A session in this process: for flows made in Python, single lines and callers who want no process of their own."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from functools import partial

from flowyard.engine import LineRunner, prepare
from flowyard.flows.model import Flow
from flowyard.records import AggregationResult, LineTask, Usage
from flowyard.sessions.crew import LoopCrew
from flowyard.sessions.line_worker import LineWorker
from flowyard.sessions.session import (
    Concurrency,
    FinishedLine,
    LineSink,
    Place,
    Session,
    SessionRequest,
    StoredLines,
)

__all__ = ["InlineSession"]


class InlineSession(Session):
    """Lines run on the caller's event loop, and the flow's code in threads beside it."""

    def __init__(self, request: SessionRequest) -> None:
        self._request = request
        self._runner: LineRunner | None = None
        self._worker: LineWorker | None = None

    async def ready(self) -> Flow:
        if self._runner is None:
            request = self._request
            self._runner = await prepare(
                request.flow,
                request.connections,
                request.open_provider,
                init=request.init,
                threads=max(16, request.most_at_once),
                urls=request.urls,
            )
        return self._runner.flow

    @property
    def _ready(self) -> LineRunner:
        assert self._runner is not None, "the session is not ready"
        return self._runner

    @property
    def warnings(self) -> tuple[str, ...]:
        return self._ready.warnings

    async def run_lines(
        self, tasks: Iterator[LineTask], sink: LineSink, *, place: Place, concurrency: Concurrency
    ) -> None:
        self._worker = worker = LineWorker(self._ready, place)

        def set_limit() -> None:
            crew.set_limit(concurrency.limit, concurrency.number)

        def take() -> LineTask | None:
            set_limit()
            return next(tasks, None)

        def tell(line: FinishedLine) -> None:
            seen = line.limit_seen
            refused = line.usage.refused_calls
            concurrency.line_ended(line.duration_s, refused, time.monotonic(), seen.began, seen.earlier_left)
            sink((line,))
            set_limit()
            waiting()

        crew = LoopCrew(worker, take, tell, line_timeout_s=self._request.line_timeout_s, box=None)
        waiting = partial(asyncio.get_running_loop().call_soon, crew.poke)
        set_limit()
        try:
            crew.poke()
            await crew.until_idle()
        finally:
            await crew.stop()

    async def run_aggregation(self, stored: StoredLines) -> AggregationResult:
        assert self._worker is not None, "aggregation comes after lines"
        if not self._ready.aggregation_inputs().is_needed:
            return await self._worker.aggregate((), ())
        return await self._worker.aggregate((), stored(self._worker.held))

    async def last_words(self) -> tuple[Usage, tuple[str, ...]]:
        return self._ready.unclaimed_usage, self._ready.late_warnings()

    async def close(self) -> None:
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.close()
