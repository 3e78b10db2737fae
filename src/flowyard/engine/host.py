"""Where a flow's own code runs: threads and an event loop of its own, in the flow's folder.

User code never runs on the engine's loop: a tool that blocks inside ``async def`` holds up its own flow only.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import contextmanager
from contextvars import ContextVar, copy_context
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from flowyard._util.aio import LoopThread, run_blocking
from flowyard._util.inheritance import release_threads, watch_threads
from flowyard.engine.environment import FlowEnvironment
from flowyard.engine.modules import FolderUse, code_owner
from flowyard.engine.threads import CodeThreads
from flowyard.engine.working_directory import WorkingDirectory

__all__ = ["CodeHost", "completed_now"]

T = TypeVar("T")

_staying: ContextVar[object] = ContextVar("flowyard_staying", default=None)
"""The host whose thread runs a whole line by itself; a flow that its code calls has a host of its own."""


class CodeHost:
    """Runs the code of one flow; ``threads`` synchronous tools at once, ``eager`` of them without having waited. Close
    it when done.
    """

    def __init__(
        self, folder: Path, threads: int, environment: FlowEnvironment | None = None, *, eager: int | None = None
    ) -> None:
        home = folder.resolve()
        self._owner = str(home)
        self._environment = environment or FlowEnvironment({})
        self._modules = FolderUse(home)
        self._place = WorkingDirectory(home)
        self._threads = CodeThreads("flowyard-tool", threads, self._place.enter, eager)
        self._loop = LoopThread("flowyard-code")
        self._loop_lock = threading.Lock()
        self._loop_started = False
        self._is_open = True
        watch_threads()

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a person should know about where the code runs; complete once some of it ran."""
        return (self._place.warning,) if self._place.warning else ()

    async def in_thread(self, call: Callable[..., Any], *values: Any) -> Any:
        """Call a function in a thread of this flow, with the caller's context variables."""
        if _staying.get() is self:
            return self._call(call, values)
        run = partial(copy_context().run, self._call, call, values)
        return await asyncio.wrap_future(self._threads.submit(run))

    async def on_loop(self, call: Callable[..., Awaitable[Any]], *values: Any) -> Any:
        """Await an asynchronous function on this flow's event loop, with the caller's context variables."""
        with self._loop_lock:
            if not self._loop_started:
                self._loop.started_in(self._place.enter)
                self._loop_started = True

        async def awaited() -> tuple[Any, BaseException | None]:
            with self._as_flow():
                try:
                    return await call(*values), None
                except asyncio.CancelledError:
                    raise
                except BaseException as error:  # SystemExit in a task would end the loop
                    return None, error

        submitted = self._loop.submit(awaited())
        value, error = submitted.result() if _staying.get() is self else await asyncio.wrap_future(submitted)
        if error is not None:
            raise error
        return value

    async def until_loop_responds(self) -> None:
        """Wait until the event loop of the flow's code has a turn for something else."""
        if self._loop_started:
            await asyncio.wrap_future(self._loop.submit(asyncio.sleep(0)))

    @contextmanager
    def staying(self) -> Iterator[None]:
        """Inside the block the calling thread, one of this flow's, runs a whole line: nothing waits for another one."""
        token = _staying.set(self)
        try:
            yield
        finally:
            _staying.reset(token)

    async def elsewhere(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Await what needs an event loop; a thread that stays waits for one in the background."""
        return run_blocking(coroutine) if _staying.get() is self else await coroutine

    @property
    def threads(self) -> CodeThreads:
        """The threads of the flow's synchronous code."""
        return self._threads

    def close(self) -> None:
        """Let threads end; code that still runs is not waited for. Safe to call again."""
        if not self._is_open:
            return
        self._is_open = False
        self._threads.close()
        self._loop.close()
        self._place.leave()
        self._modules.close()
        release_threads()

    def _call(self, call: Callable[..., Any], values: tuple[Any, ...]) -> Any:
        owner, shown = code_owner.set(self._owner), self._environment.show()  # as in _as_flow, for every node
        try:
            return call(*values)
        except StopIteration as error:  # a future cannot carry it
            raise RuntimeError(f"StopIteration: {error}") from error
        finally:
            self._environment.hide(shown)
            code_owner.reset(owner)

    @contextmanager
    def _as_flow(self) -> Iterator[None]:
        """What runs inside is this flow's code: its imports, its variables."""
        token = code_owner.set(self._owner)
        try:
            with self._environment.visible():
                yield
        finally:
            code_owner.reset(token)


def completed_now(coroutine: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine that waits for nothing, which is what a line is in a thread that stays."""
    try:
        coroutine.send(None)
    except StopIteration as done:
        result: T = done.value
        return result
    coroutine.close()
    raise RuntimeError("plain code waited for an event loop")
