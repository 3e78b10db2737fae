"""What is measured on, and whether it is quiet enough to measure."""

from __future__ import annotations

import json
import os
import platform
import sys
import time

from bench.places import PEER_PYTHON, PROMPTFOO, has_peer, has_promptfoo, version
from bench.timing import say

__all__ = ["facts", "require_quiet"]

_BUSY = 0.3
"""The share of the cores that others may use."""


def facts() -> dict[str, str]:
    """The machine and the versions, in words."""
    found = {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, {_memory_gb():.0f} GB, "
        f"{platform.system()} {platform.release()}",
        "flowyard": f"{version(sys.executable, 'flowyard')} on Python {platform.python_version()}",
    }
    if has_peer():
        found["promptflow"] = f"{version(PEER_PYTHON, 'promptflow')}, telemetry and traces off, own environment"
    if has_promptfoo():
        found["promptfoo"] = f"{_promptfoo_version()}, telemetry, update checks, sharing and cache off"
    return found


def require_quiet(*, force: bool) -> float:
    """The share of the cores that others use, over one second. Ends the bench when it is high and not forced.

    Taken from the processor's own counters: the load average still shows what ended a minute ago.
    """
    busy = _busy_share(1.0)
    if busy > _BUSY and not force:
        sys.exit(f"Other processes use {busy:.0%} of the cores, so figures would mean little. Next: wait, or --force.")
    if busy > _BUSY:
        say(f"WARNING    other processes use {busy:.0%} of the cores: trust ratios of one part only, if anything")
    return busy


def _busy_share(seconds: float) -> float:
    before = _jiffies()
    time.sleep(seconds)
    after = _jiffies()
    total = sum(after) - sum(before)
    idle = after[3] + after[4] - before[3] - before[4]
    return 1 - idle / total if total else 0.0


def _jiffies() -> list[int]:
    with open("/proc/stat", encoding="ascii") as file:  # noqa: PTH123 - not a file on disk
        return [int(word) for word in file.readline().split()[1:9]]


def _memory_gb() -> float:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9


def _promptfoo_version() -> str:
    package = PROMPTFOO.parent.parent / "promptfoo" / "package.json"
    return str(json.loads(package.read_text("utf-8"))["version"])
