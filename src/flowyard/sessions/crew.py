"""Running many lines at once in one process: as tasks of an event loop, or in threads for plain code."""

from __future__ import annotations

import asyncio
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

from flowyard.records import ErrorRecord, LineResult, LineTask
from flowyard.sessions.black_box import BlackBox
from flowyard.sessions.limit_tally import LimitTally
from flowyard.sessions.line_worker import LineWorker
from flowyard.sessions.lost_lines import timed_out
from flowyard.sessions.session import FinishedLine

__all__ = ["Crew", "LoopCrew", "Take", "Tell", "ThreadCrew"]

Take = Callable[[], LineTask | None]
"""The next line to run; None when there is none now."""


Tell = Callable[[FinishedLine], None]
"""Takes each line as it ends, from any thread."""


class Crew(ABC):
    """Takes lines while there is room and tells of each that ended. ``limit`` is how many run at once."""

    def __init__(
        self, worker: LineWorker, take: Take, tell: Tell, *, line_timeout_s: float | None, box: BlackBox | None
    ) -> None:
        self.worker = worker
        self._take = take
        self._tell = tell
        self._timeout_s = line_timeout_s
        self._box = box
        self.limit = 1
        self._tally = LimitTally()

    def set_limit(self, limit: int, number: int) -> None:
        """Run that many at once; the limit is set for the ``number``-th time."""
        self.limit = limit
        self._tally.limit_set(number)

    @abstractmethod
    def poke(self) -> None:
        """There are lines again, or more room; never waits."""


class LoopCrew(Crew):
    """Lines as tasks of the running event loop, which is where ``poke`` must be called."""

    def __init__(
        self, worker: LineWorker, take: Take, tell: Tell, *, line_timeout_s: float | None, box: BlackBox | None
    ) -> None:
        super().__init__(worker, take, tell, line_timeout_s=line_timeout_s, box=box)
        self._tasks: set[asyncio.Task[None]] = set()
        self._idle = asyncio.Event()
        self._failure: BaseException | None = None

    def poke(self) -> None:
        while len(self._tasks) < self.limit and self._failure is None:
            task = self._take()
            if task is None:
                break
            self._idle.clear()
            started = asyncio.create_task(self._work(task))
            self._tasks.add(started)
            started.add_done_callback(self._ended)
        if not self._tasks:
            self._idle.set()

    async def until_idle(self) -> None:
        """Wait until no line runs. Raises what reading or telling of a line raised."""
        await self._idle.wait()
        if self._failure is not None:
            raise self._failure

    async def stop(self) -> None:
        """Give up the lines that run."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _work(self, first: LineTask) -> None:
        task: LineTask | None = first
        while task is not None:
            began = self._tally.began()
            finished = await self._run(task)
            self._tell(finished._replace(limit_seen=self._tally.ended(began)))
            task = self._take() if len(self._tasks) <= self.limit and self._failure is None else None

    async def _run(self, task: LineTask) -> FinishedLine:
        slot = self._box.begin(task.line_number) if self._box else None
        try:
            if self._timeout_s is None:
                return await self._attempt(task)
            return await asyncio.wait_for(self._attempt(task), self._timeout_s)
        except TimeoutError:
            assert self._timeout_s is not None
            if self._box is not None:  # the session ends this process when its code never responds
                await self.worker.runner.until_code_responds()
            self.worker.runner.line_threads.grow()  # the one that ran it may never come back
            return self.worker.finished(timed_out(task, self._timeout_s))
        finally:
            if self._box and slot is not None:
                self._box.end(slot)

    async def _attempt(self, task: LineTask) -> FinishedLine:
        try:
            return await self.worker.run(task)
        except (KeyboardInterrupt, asyncio.CancelledError) as error:
            if self._box is None or _is_cancelled():
                raise
            return self.worker.finished(_raised(task, error))

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            self._failure = self._failure or task.exception()
        if not self._tasks:
            self._idle.set()


def _is_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _raised(task: LineTask, error: BaseException) -> LineResult:
    """The result of a line whose code raised what ends a program: in a process of its own it ends the line only."""
    kind = type(error).__name__
    return LineResult(task.line_number, "failed", task.inputs, {}, ErrorRecord(kind, str(error) or kind))


@dataclass(slots=True, eq=False)
class _Running:
    """A line in a thread, the slot of the black box that it has, and the number of the limit that it began under."""

    task: LineTask
    began_s: float
    slot: int | None
    began: int
    given_up: bool = False


class ThreadCrew(Crew):
    """Whole lines in threads of the flow's code, for flows that run plainly; ``watch`` ends those that are late."""

    def __init__(
        self, worker: LineWorker, take: Take, tell: Tell, *, line_timeout_s: float | None, box: BlackBox | None
    ) -> None:
        super().__init__(worker, take, tell, line_timeout_s=line_timeout_s, box=box)
        self._lock = threading.Lock()
        self._busy = 0
        self._running: set[_Running] = set()

    def poke(self) -> None:
        with self._lock:
            while self._busy < self.limit:
                task = self._take()
                if task is None:
                    return
                self._busy += 1
                self.worker.runner.line_threads.submit(lambda first=task: self._work(first))  # type: ignore[misc]

    def watch(self) -> None:
        """Give up lines past their time; to be called now and then."""
        if self._timeout_s is None:
            return
        latest_s = time.monotonic() - self._timeout_s
        with self._lock:
            late = [line for line in self._running if line.began_s < latest_s and not line.given_up]
            for line in late:
                line.given_up = True
                self._running.discard(line)
                self._busy -= 1
        for line in late:
            self._leave(line)
            self.worker.runner.line_threads.grow()  # this one may never come back
            self._tell_of(line, self.worker.finished(timed_out(line.task, self._timeout_s)))
        if late:
            self.poke()

    def _work(self, first: LineTask) -> None:
        task: LineTask | None = first
        while task is not None:
            slot = self._box.begin(task.line_number) if self._box else None
            line = _Running(task, time.monotonic(), slot, self._tally.began())
            with self._lock:
                self._running.add(line)
            finished = self._run(task)
            with self._lock:
                if line.given_up:  # it was told of already, and another thread took this one's place
                    return
                self._running.discard(line)
            self._leave(line)
            self._tell_of(line, finished)
            task = self._next()

    def _run(self, task: LineTask) -> FinishedLine:
        try:
            return self.worker.run_here(task)
        except BaseException as error:  # nobody else would notice that it ended
            return self.worker.finished(_raised(task, error))

    def _tell_of(self, line: _Running, finished: FinishedLine) -> None:
        self._tell(finished._replace(limit_seen=self._tally.ended(line.began)))

    def _leave(self, line: _Running) -> None:
        if self._box and line.slot is not None:
            self._box.end(line.slot)

    def _next(self) -> LineTask | None:
        with self._lock:
            task = self._take() if self._busy <= self.limit else None
            if task is None:
                self._busy -= 1
            return task
