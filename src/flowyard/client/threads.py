"""Threads of user code that see what the code that started them sees."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from typing import Any

__all__ = ["ThreadPoolExecutorWithContext"]


class ThreadPoolExecutorWithContext(ThreadPoolExecutor):
    """A thread pool whose calls have the context variables of whoever submits them, and so count as the flow's."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        return super().submit(copy_context().run, fn, *args, **kwargs)
