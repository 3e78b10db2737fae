"""One event loop in a thread of its own, for synchronous callers of asynchronous code.

User code calls models and flows with plain calls, from any thread, also from inside a running loop (a notebook, an
async tool). None of it may ever run *on* this loop, so that a caller who waits cannot stop what it waits for.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextvars import Context
from typing import Any, TypeVar

__all__ = [
    "LoopThread",
    "iterate_blocking",
    "iterate_in_background",
    "run_blocking",
    "run_in_background",
    "start_in_background",
]

T = TypeVar("T")

_LAST_WORDS_S = 5.0
"""How long the end of canceled work is waited for."""


class LoopThread:
    """An event loop that runs in a daemon thread from the first use until ``close``."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def submit(self, coroutine: Coroutine[Any, Any, T]) -> Any:
        """Start a coroutine on the loop, with the caller's context variables; returns a ``concurrent`` future."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._started())

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Wait in this thread for a coroutine. Raises RuntimeError when called on the loop itself."""
        if threading.current_thread() is self._thread:
            coroutine.close()
            raise RuntimeError(f"{self._name} cannot wait for itself")
        ended = threading.Event()
        future = self.submit(_telling(coroutine, ended))
        try:
            result: T = future.result()
            return result
        except BaseException:
            future.cancel()  # Ctrl-C in the waiting thread ends the work too
            ended.wait(_LAST_WORDS_S)  # a run that is canceled writes its record
            raise

    def close(self) -> None:
        """Stop the loop after canceling what still runs; safe to call again."""
        with self._lock:
            loop, thread, self._loop, self._thread = self._loop, self._thread, None, None
        if loop is not None and thread is not None:
            loop.call_soon_threadsafe(loop.stop)
            if thread is not threading.current_thread():
                thread.join(timeout=0.2)  # code that does not end is not waited for

    def forget(self) -> None:
        """In a forked child: the thread did not come along, so the next use starts a new one."""
        self._lock = threading.Lock()
        self._loop = self._thread = None

    def started_in(self, prepare: Any) -> None:
        """Start the thread now and call ``prepare`` in it first. Raises what ``prepare`` raises."""
        self._start(prepare)

    def _started(self) -> asyncio.AbstractEventLoop:
        return self._loop or self._start(None)

    def _start(self, prepare: Any) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is not None:
                return self._loop
            ready = threading.Event()
            failure: list[BaseException] = []
            loop = asyncio.new_event_loop()

            def work() -> None:
                asyncio.set_event_loop(loop)
                try:
                    if prepare is not None:
                        prepare()
                except BaseException as error:
                    failure.append(error)
                ready.set()
                if not failure:
                    loop.run_forever()
                    _cancel_all(loop)
                loop.close()

            thread = threading.Thread(target=work, name=self._name, daemon=True)
            Context().run(thread.start)  # it belongs to nobody, whoever was first to need it
            ready.wait()
            if failure:
                raise failure[0]
            self._loop, self._thread = loop, thread
            return loop


async def _telling(coroutine: Coroutine[Any, Any, T], ended: threading.Event) -> T:
    try:
        return await coroutine
    finally:
        ended.set()


def _cancel_all(loop: asyncio.AbstractEventLoop) -> None:
    tasks = asyncio.all_tasks(loop)
    for task in tasks:
        task.cancel()
    loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
    loop.run_until_complete(loop.shutdown_asyncgens())


_background = LoopThread("flowyard-background")
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_background.forget)


def run_blocking(coroutine: Coroutine[Any, Any, T]) -> T:
    """Wait for a coroutine on the background loop; for synchronous callers in any thread but that loop's."""
    return _background.run(coroutine)


def start_in_background(coroutine: Coroutine[Any, Any, Any]) -> None:
    """Start a coroutine on the background loop and do not wait for it."""
    _background.submit(coroutine)


async def run_in_background(coroutine: Coroutine[Any, Any, T]) -> T:
    """Await a coroutine on the background loop from any other loop."""
    result: T = await asyncio.wrap_future(_background.submit(coroutine))
    return result


def iterate_blocking(stream: AsyncIterator[T]) -> Iterator[T]:
    """The items of an asynchronous iterator that lives on the background loop, as they come.

    Closing the generator, or forgetting it, closes the iterator.
    """
    try:
        while True:
            try:
                yield run_blocking(_next(stream))
            except StopAsyncIteration:
                return
    finally:
        _background.submit(_closed(stream))  # not waited for: a collected generator ends in any thread


async def iterate_in_background(stream: AsyncIterator[T]) -> AsyncIterator[T]:
    """The same for asynchronous callers on any other loop."""
    try:
        while True:
            try:
                item = await run_in_background(_next(stream))
            except StopAsyncIteration:
                return
            yield item
    finally:
        _background.submit(_closed(stream))


async def _next(stream: AsyncIterator[T]) -> T:
    return await stream.__anext__()


async def _closed(stream: AsyncIterator[Any]) -> None:
    close = getattr(stream, "aclose", None)
    if close is not None:
        await close()
