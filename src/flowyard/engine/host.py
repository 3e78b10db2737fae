"""Where a flow's own code runs: threads and an event loop of its own, in the flow's folder.

Prompt flow promises code that its working directory is the flow's folder. A process has one working directory, so two
flows at once would disturb each other; on Linux a thread can have its own, and all threads it starts inherit it. Where
that is refused (some containers, other systems), the directory of the whole process is changed while one flow runs.

User code never runs on the engine's loop: a tool that blocks inside ``async def`` holds up its own flow only.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import sys
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from pathlib import Path
from typing import Any

from flowyard._util.aio import LoopThread

__all__ = ["CodeHost"]

_CLONE_FS = 0x00000200


class CodeHost:
    """Runs the code of one flow; ``threads`` synchronous tools at once. Close it when done."""

    def __init__(self, folder: Path, threads: int) -> None:
        self._place = _WorkingDirectory(folder.resolve())
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="flowyard-tool", initializer=self._place.enter)
        self._loop = LoopThread("flowyard-code")
        self._loop_lock = threading.Lock()
        self._loop_started = False

    async def in_thread(self, call: Callable[..., Any], *values: Any) -> Any:
        """Call a function in a thread of this flow, with the caller's context variables."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, copy_context().run, _without_stop_iteration, call, values)

    async def on_loop(self, call: Callable[..., Awaitable[Any]], *values: Any) -> Any:
        """Await an asynchronous function on this flow's event loop, with the caller's context variables."""
        with self._loop_lock:
            if not self._loop_started:
                self._loop.started_in(self._place.enter)
                self._loop_started = True

        async def awaited() -> tuple[Any, BaseException | None]:
            try:
                return await call(*values), None
            except asyncio.CancelledError:
                raise
            except BaseException as error:  # SystemExit in a task would end the loop
                return None, error

        value, error = await asyncio.wrap_future(self._loop.submit(awaited()))
        if error is not None:
            raise error
        return value

    def close(self) -> None:
        """Let threads end; code that still runs is not waited for."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._loop.close()
        self._place.leave()


def _without_stop_iteration(call: Callable[..., Any], values: tuple[Any, ...]) -> Any:
    try:
        return call(*values)
    except StopIteration as error:  # a future cannot carry it
        raise RuntimeError(f"StopIteration: {error}") from error


class _WorkingDirectory:
    """A folder as the working directory of threads, or of the process where threads cannot have one."""

    _lock = threading.Lock()
    _shared: list[Path] = []  # noqa: RUF012 - one for the process, on purpose
    _before: Path | None = None

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._is_sharing = False

    def enter(self) -> None:
        """Make the folder the working directory of the calling thread."""
        if _own_directory_for_thread():
            os.chdir(self._folder)
            return
        with self._lock:
            if not self._is_sharing:
                self._is_sharing = True
                self._share()

    def leave(self) -> None:
        """Give back the process's directory, if it was taken."""
        with self._lock:
            if self._is_sharing:
                self._is_sharing = False
                self._shared.remove(self._folder)
                self._settle()

    def _share(self) -> None:
        if not self._shared:
            type(self)._before = Path.cwd()
        self._shared.append(self._folder)
        self._settle()

    def _settle(self) -> None:
        wanted = self._shared[-1] if self._shared else self._before
        if wanted is not None and wanted.is_dir():
            os.chdir(wanted)


def _own_directory_for_thread() -> bool:
    """Detach the calling thread's working directory from the process's; False where the system refuses."""
    if not sys.platform.startswith("linux") or threading.current_thread() is threading.main_thread():
        return False
    try:
        return bool(ctypes.CDLL(None, use_errno=True).unshare(_CLONE_FS) == 0)
    except (OSError, AttributeError):
        return False
