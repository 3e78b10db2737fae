"""What threads that a flow's code starts take over from the code that started them.

Context variables say which flow runs, but a new thread begins with none of them. While a flow is open, threads that its
code starts are given the variables named here, so that they stay threads of that flow.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextvars import ContextVar
from functools import partial
from typing import Any

__all__ = ["inherited", "release_threads", "watch_threads"]

_inherited: list[tuple[ContextVar[Any], Any]] = []
_lock = threading.Lock()
_watching = 0
_plain_start = threading.Thread.start


def inherited(name: str, *, default: Any = None) -> ContextVar[Any]:
    """A new context variable that threads started by a flow's code take over. Called at import time only."""
    variable: ContextVar[Any] = ContextVar(name, default=default)
    _inherited.append((variable, default))
    return variable


def watch_threads() -> None:
    """Begin to hand variables on to new threads; each call is undone by one ``release_threads``."""
    global _watching  # noqa: PLW0603 - threading.Thread is one for the process, and so is the count of its users
    with _lock:
        _watching += 1
        if _watching == 1:
            threading.Thread.start = _start  # type: ignore[assignment,method-assign]


def release_threads() -> None:
    """End one ``watch_threads``; after the last, threads start as they always did."""
    global _watching  # noqa: PLW0603
    with _lock:
        _watching -= 1
        if _watching == 0 and threading.Thread.start is _start:
            threading.Thread.start = _plain_start  # type: ignore[method-assign]


def _start(thread: threading.Thread) -> None:
    carried = [(variable, value) for variable, default in _inherited if (value := variable.get()) is not default]
    if carried:
        thread.run = partial(_run, carried, thread.run)  # type: ignore[method-assign]
    _plain_start(thread)


def _run(carried: list[tuple[ContextVar[Any], Any]], run: Callable[[], None]) -> None:
    for variable, value in carried:
        variable.set(value)
    run()
