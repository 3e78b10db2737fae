"""What the process itself uses, under the names that Prometheus' own libraries give it."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

__all__ = ["process_lines"]

_STARTED_S = time.time()
_OWN = Path("/proc/self")


def process_lines() -> Iterator[str]:
    """Processor time and start everywhere; memory and open files where ``/proc`` tells them."""
    yield from _metric("process_cpu_seconds_total", "counter", "Processor time used.", f"{time.process_time():.6f}")
    yield from _metric("process_start_time_seconds", "gauge", "When the process began.", f"{_STARTED_S:.3f}")
    with suppress(OSError, ValueError, IndexError):
        pages = int((_OWN / "statm").read_text("ascii").split()[1])
        size = pages * os.sysconf("SC_PAGE_SIZE")
        yield from _metric("process_resident_memory_bytes", "gauge", "Memory in use.", str(size))
    with suppress(OSError):
        count = sum(1 for _ in (_OWN / "fd").iterdir()) - 1  # the listing itself is one of them
        yield from _metric("process_open_fds", "gauge", "Open files and connections.", str(count))


def _metric(name: str, kind: str, text: str, value: str) -> Iterator[str]:
    yield f"# HELP {name} {text}"
    yield f"# TYPE {name} {kind}"
    yield f"{name} {value}"
