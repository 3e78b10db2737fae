"""Running a command several times and saying how long it took."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Timing", "say", "time_command"]


@dataclass(frozen=True, slots=True)
class Timing:
    """Wall times of one command, in seconds, and what its last run printed."""

    label: str
    times_s: tuple[float, ...]
    output: str

    @property
    def min_s(self) -> float:
        return min(self.times_s)

    @property
    def best(self) -> str:
        """The least time, in words: what else runs on the machine can only add."""
        return f"{self.min_s:.3f} s"


def time_command(
    label: str,
    command: Sequence[str | Path],
    *,
    runs: int,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
) -> Timing:
    """Run the command once unmeasured (to fill file caches), then ``runs`` times. Ends the bench when it fails."""
    times = []
    for _ in range(runs + 1):
        started = time.perf_counter()
        done = subprocess.run(
            command, cwd=cwd, env={**os.environ, **(env or {})}, capture_output=True, text=True, check=False
        )
        times.append(time.perf_counter() - started)
        if done.returncode != 0:
            sys.exit(f"{' '.join(map(str, command))} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return Timing(label, tuple(times[1:]), done.stdout)


def say(text: str = "") -> None:
    """Print now: a bench takes minutes and is often piped."""
    print(text, flush=True)
