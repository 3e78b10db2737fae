"""Prepared flows that are kept between calls: each way of calling a flow is prepared once and closed in the end.

What is kept is touched on the background loop only, so nothing needs a lock. A flow that another flow's code calls is
prepared with that flow's connections, once for all its lines, and closed with its services.
"""

from __future__ import annotations

import asyncio
import atexit
import weakref
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from flowyard._util.aio import run_blocking, run_in_background, start_in_background
from flowyard.client.ambient import app
from flowyard.client.context import Changes
from flowyard.client.exceptions import InvalidFlowError
from flowyard.client.translate import speaking_promptflow
from flowyard.engine import LineRunner, prepare
from flowyard.engine.stream import TextStream
from flowyard.flows.model import Flow
from flowyard.llm import Connections, DeclaredSource, SimulateEverything, open_provider
from flowyard.llm.services import Services, current_services
from flowyard.records import LineResult, LineTask

__all__ = ["Prepared", "prepared_here"]

Read = Callable[[Mapping[str, str]], Flow]
"""Gives the flow with the selected variants."""

_MOST_KEPT = 8
"""Ways of calling one flow that stay prepared; of more, those that were not used for longest are closed."""


@dataclass(eq=False, slots=True)
class _Kept:
    """One prepared way of calling, and how many calls use it now."""

    changes: Changes
    runner: asyncio.Task[LineRunner]
    calls: int = 0


class Prepared:
    """The prepared forms of one flow; ``outer`` are the services of the flow whose code calls it, if any.

    Outside of flows, connections are those that ``connections`` gives. ``init`` are the arguments of a class.
    """

    def __init__(
        self,
        read: Read,
        outer: Services | None = None,
        *,
        init: Mapping[str, Any] | None = None,
        connections: Callable[[Flow], Connections] | None = None,
    ) -> None:
        self._read = read
        self._outer = outer
        self._init = dict(init or {})
        self._connections = connections or _connections
        self._kept: list[_Kept] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        weakref.finalize(self, _close_forgotten, self._kept).atexit = False
        _all.add(self)

    async def call(self, inputs: Mapping[str, Any], changes: Changes, *, stream: bool) -> LineResult:
        """Run one line. With ``stream`` outputs that can arrive in pieces are streams, to be read on this loop.

        Raises UserError when the flow cannot be prepared.
        """
        kept = self._find(changes) or self._start(changes)
        kept.calls += 1
        try:
            line = await (await self._runner(kept)).run_line(LineTask(0, inputs), stream=stream)
            return self._with_counted_streams(line, kept)
        finally:
            kept.calls -= 1

    async def close(self) -> None:
        """Close all that is kept; from any event loop."""
        if self._kept:
            await run_in_background(_close_all(self._kept))

    def _find(self, changes: Changes) -> _Kept | None:
        if self._loop is not asyncio.get_running_loop():  # the first call, or a forked child's: threads stayed behind
            self._loop = asyncio.get_running_loop()
            _left_behind.extend(self._kept)
            self._kept.clear()
        return next((kept for kept in self._kept if kept.changes == changes), None)

    def _start(self, changes: Changes) -> _Kept:
        idle = [other for other in self._kept if not other.calls]
        for other in idle[: max(0, len(self._kept) + 1 - _MOST_KEPT)]:
            self._kept.remove(other)
            start_in_background(_close_all([other]))
        kept = _Kept(changes, asyncio.ensure_future(self._prepare(changes)))
        self._kept.append(kept)
        return kept

    async def _runner(self, kept: _Kept) -> LineRunner:
        try:
            return await asyncio.shield(kept.runner)  # a canceled call does not take the flow from the others
        except BaseException:
            if kept.runner.done() and kept in self._kept:
                self._kept.remove(kept)
            raise

    async def _prepare(self, changes: Changes) -> LineRunner:
        with speaking_promptflow(UserError=InvalidFlowError):
            flow = changes.applied(self._read(changes.selected))
        outer = self._outer
        connections = self._connections(flow) if outer is None else outer.connections
        opener = open_provider if outer is None else outer.open_provider
        return await prepare(flow, _with_declared(connections, changes), opener, init=self._init)

    def _with_counted_streams(self, line: LineResult, kept: _Kept) -> LineResult:
        """The line, whose streams count as calls until they are read or given up."""
        streams = {name: value for name, value in line.outputs.items() if isinstance(value, TextStream)}
        if not streams:
            return line
        kept.calls += len(streams)
        counted = {name: TextStream(self._counted(aiter(value), kept)) for name, value in streams.items()}
        return replace(line, outputs={**line.outputs, **counted})

    async def _counted(self, pieces: AsyncIterator[Any], kept: _Kept) -> AsyncIterator[Any]:
        """The pieces; a method, so that the flow is not closed as forgotten while somebody reads."""
        try:
            async for piece in pieces:
                yield piece
        finally:
            kept.calls -= 1


def prepared_here(own: Prepared, file: Path, read: Read) -> Prepared:
    """The prepared forms for the calling code: ``own`` outside of flows, one for all lines inside a flow."""
    outer = current_services()
    return own if outer is None else outer.shared(file, lambda: Prepared(read, outer))


def _connections(flow: Flow) -> Connections:
    return app(flow.folder).connections()


def _with_declared(connections: Connections, changes: Changes) -> Connections:
    """Given connection objects go over every source but simulation, which leaves no real service to be called."""
    declared = changes.declared()
    if not declared:
        return connections
    first = [source for source in connections.sources if isinstance(source, SimulateEverything)]
    rest = [source for source in connections.sources if source not in first]
    return Connections([*first, DeclaredSource(declared), *rest])


async def _close_all(every: list[_Kept]) -> None:
    while every:
        kept = every.pop()
        if kept.runner.get_loop() is not asyncio.get_running_loop():
            _left_behind.append(kept)
            continue
        try:
            runner = await kept.runner
        except Exception:  # noqa: S112 - it was never prepared, and whoever called has been told
            continue
        await runner.close()


def _close_forgotten(every: list[_Kept]) -> None:
    """The flow was collected as garbage, in whatever thread: nothing is waited for."""
    if every:
        start_in_background(_close_all(every))


_all: weakref.WeakSet[Prepared] = weakref.WeakSet()
_left_behind: list[_Kept] = []
"""Of the parent, in a forked child: closing it is the parent's, and forgetting it would warn of open sessions."""


@atexit.register
def _close_at_exit() -> None:
    for prepared in list(_all):
        if prepared._kept:
            run_blocking(prepared.close())
