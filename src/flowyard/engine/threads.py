"""Threads that run the synchronous code of one flow.

Unlike those of ``ThreadPoolExecutor`` they never hold up the end of the process: a tool that does not return would.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextvars import Context
from queue import Empty, SimpleQueue
from typing import Any

from flowyard.errors import OutsideError

__all__ = ["CodeThreads"]

_TICK_S = 0.01
_PATIENCE_TICKS = 3
_QUIET_TICKS = 100
_Call = tuple[Future[Any], Callable[[], Any]]


class CodeThreads:
    """Up to ``limit`` daemon threads, started when needed; each calls ``begin`` first. Close it when done.

    Of these, ``eager`` are started for calls that find none idle, all of them by default; the others only once calls
    have to wait, because short calls that come in crowds are quickest in few threads.
    """

    def __init__(self, name: str, limit: int, begin: Callable[[], None], eager: int | None = None) -> None:
        self._name = name
        self._limit = limit
        self._eager = eager
        self._ended = 0
        self._is_watched = False
        self._begin = begin
        self._calls: SimpleQueue[_Call | None] = SimpleQueue()
        self._idle = threading.Semaphore(0)
        self._lock = threading.Lock()
        self._started = 0
        self._is_closed = False

    @property
    def waiting(self) -> int:
        """How many calls wait for a thread."""
        return self._calls.qsize()

    def submit(self, call: Callable[[], Any]) -> Future[Any]:
        """Run a call when a thread is free. Raises OutsideError when the system gives not one thread."""
        future: Future[Any] = Future()
        with self._lock:
            if self._is_closed:
                raise RuntimeError("the flow is closed, so no more of its code can run")
            if not self._idle.acquire(blocking=False) and self._started < self._limit:
                if self._eager is None or self._started < self._eager:
                    self._start_thread()
                elif not self._is_watched:
                    self._is_watched = True
                    Context().run(threading.Thread(target=self._watch, name=f"{self._name}s", daemon=True).start)
            self._calls.put((future, call))
        return future

    def grow(self) -> None:
        """Allow one thread more, in the place of one that does not come back."""
        with self._lock:
            self._limit += 1

    def close(self) -> None:
        """Let threads end; calls that did not begin are canceled, and one that still runs is not waited for."""
        with self._lock:
            self._is_closed = True
            while True:
                try:
                    waiting = self._calls.get_nowait()
                except Empty:
                    break
                if waiting is not None:
                    waiting[0].cancel()
            for _ in range(self._started):
                self._calls.put(None)

    def _watch(self) -> None:
        """Start threads while calls wait longer than the running ones will take them; ends when all is quiet."""
        ended, quiet = self._ended, 0
        while quiet < _QUIET_TICKS:
            time.sleep(_TICK_S)
            with self._lock:
                waiting, done = self._calls.qsize(), self._ended - ended
                ended += done
                quiet = 0 if waiting or done else quiet + 1
                if self._is_closed:
                    return
                for _ in range(min(waiting - done * _PATIENCE_TICKS, self._limit - self._started)):
                    self._start_thread()
                if quiet >= _QUIET_TICKS:
                    self._is_watched = False

    def _start_thread(self) -> None:
        name = f"{self._name}-{self._started}"
        thread = threading.Thread(target=self._work, name=name, daemon=True)
        try:
            Context().run(thread.start)  # it belongs to this flow, whichever code asked for it
        except RuntimeError as error:
            if self._started == 0:
                raise OutsideError(
                    f"The system refuses to start a thread: {error}.",
                    hint="Lower the number of lines that run at once, or raise the limit of processes (ulimit -u).",
                ) from None
        else:
            self._started += 1

    def _work(self) -> None:
        failure: BaseException | None = None
        try:
            self._begin()
        except BaseException as error:  # each call reports it
            failure = error
        while (taken := self._calls.get()) is not None:
            _answer(*taken, failure)
            del taken
            self._ended += 1
            self._idle.release()


def _answer(future: Future[Any], call: Callable[[], Any], failure: BaseException | None) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        if failure is not None:
            raise failure
        result = call()
    except BaseException as error:  # whoever waits for the call gets it
        future.set_exception(error)
    else:
        future.set_result(result)
