"""A command with the whole tree of its processes: wall time, processor time and peak memory.

Memory is the sum of the proportional set sizes (PSS) from /proc: pages that processes share count once. Sampling takes
at most a twentieth of the time, so a short peak can be missed, on both sides alike.
"""

from __future__ import annotations

import contextlib
import os
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Measured", "measure", "tree"]


@dataclass(frozen=True, slots=True)
class Measured:
    """Seconds of wall time and of processor time (children included), peak bytes, and what was printed."""

    wall_s: float
    cpu_s: float
    peak_bytes: int
    output: str

    @property
    def peak_mb(self) -> float:
        return self.peak_bytes / 1e6


def measure(
    command: Sequence[str | Path], *, cwd: Path, env: Mapping[str, str], allowed: tuple[int, ...] = (0,)
) -> Measured:
    """Run the command and sample its tree. Ends the bench when the command fails."""
    cpu_before = _children_cpu_s()
    started = time.perf_counter()
    process = subprocess.Popen(
        [str(word) for word in command],
        cwd=cwd,
        env=dict(env),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    sampler = _Sampler(process.pid)
    sampler.start()
    output, _ = process.communicate()
    wall_s = time.perf_counter() - started
    sampler.stop()
    if process.returncode not in allowed:
        sys.exit(f"{' '.join(map(str, command))} ended with {process.returncode}:\n{output[-4000:]}")
    return Measured(wall_s, _children_cpu_s() - cpu_before, sampler.peak_bytes, output)


class _Sampler(threading.Thread):
    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.peak_bytes = 0
        self._pid = pid
        self._ended = threading.Event()

    def run(self) -> None:
        wait_s = 0.02
        while not self._ended.wait(wait_s):
            started = time.perf_counter()
            self.peak_bytes = max(self.peak_bytes, sum(map(_pss_bytes, tree(self._pid))))
            wait_s = max(0.1, 20 * (time.perf_counter() - started))

    def stop(self) -> None:
        self._ended.set()
        self.join()


def tree(root: int) -> list[int]:
    """The process and all below it."""
    children: dict[int, list[int]] = {}
    for entry in os.listdir("/proc"):  # noqa: PTH208 - thousands of entries, names only
        if entry.isdecimal():
            with contextlib.suppress(OSError):
                stat = Path("/proc", entry, "stat").read_text("ascii", "replace")
                children.setdefault(int(stat.rpartition(")")[2].split()[1]), []).append(int(entry))
    found = [root]
    for pid in found:
        found += children.get(pid, [])
    return found


def _pss_bytes(pid: int) -> int:
    with contextlib.suppress(OSError):
        for line in Path("/proc", str(pid), "smaps_rollup").read_text("ascii").splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    return 0


def _children_cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
