"""Two pieces of work of plain Python beside each other, where that is safe and there are cores for it."""

from __future__ import annotations

import contextlib
import os
import pickle
import sys
import threading
from collections.abc import Callable
from typing import TypeVar

__all__ = ["beside"]

A = TypeVar("A")
B = TypeVar("B")


def beside(here: Callable[[], A], there: Callable[[], B]) -> tuple[A, B]:
    """What both come to; ``there`` runs in a forked process if it can, and what it changes in memory is lost.

    Its result is pickled. A process with other threads is never forked: what one of them locked would stay locked.
    Where ``there`` fails or its process ends, it runs again here, so that its error is raised as usual; it must be work
    that can be done twice.
    """
    if sys.platform != "linux" or threading.active_count() > 1 or (os.cpu_count() or 1) < 2:
        return here(), there()
    reading, writing = os.pipe()
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if child == 0:
        _work_there(there, writing)
    os.close(writing)
    try:
        first = here()
        with os.fdopen(reading, "rb", closefd=False) as answer:
            told = answer.read()
    finally:
        os.close(reading)
        _, status = os.waitpid(child, 0)
    if status == 0 and told:
        with contextlib.suppress(Exception):
            second: B = pickle.loads(told)  # noqa: S301 - from our own child
            return first, second
    return first, there()


def _work_there(there: Callable[[], object], writing: int) -> None:
    """In the child: nothing of the parent's clean-up runs here."""
    code = 1
    try:
        told = pickle.dumps(there())
        with os.fdopen(writing, "wb") as answer:
            answer.write(told)
        code = 0
    except BaseException:  # the parent does it again, and then it is raised there
        code = 1
    finally:
        os._exit(code)
