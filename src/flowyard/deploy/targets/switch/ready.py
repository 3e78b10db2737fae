"""Waiting until something new answers."""

from __future__ import annotations

import time
import urllib.error
import urllib.request
from collections.abc import Callable

__all__ = ["answers", "wait_until"]

_LOOK_S = 0.1


def answers(address: str, timeout_s: float = 2.0) -> bool:
    """Whether ``GET /health`` there is 200; only for addresses of this machine that we made ourselves."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"{address}/health", timeout=timeout_s) as answer:
            return bool(answer.status == 200)
    except (OSError, ValueError, urllib.error.HTTPError):
        return False


def wait_until(is_so: Callable[[], bool], timeout_s: float) -> bool:
    """Look again and again until something is so; False when the time is over. What raises ends it."""
    until = time.monotonic() + timeout_s
    while not is_so():
        if time.monotonic() > until:
            return False
        time.sleep(_LOOK_S)
    return True
