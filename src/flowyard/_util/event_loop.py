"""The event loop of servers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from importlib import import_module

__all__ = ["loop_factory"]


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """The event loop of uvloop where that is installed, for ``asyncio.Runner``: a request costs it less."""
    try:
        return getattr(import_module("uvloop"), "new_event_loop", None)
    except ImportError:
        return None
