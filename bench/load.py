"""Load from a process of its own, what came of it, and pass marks."""

from __future__ import annotations

import json
import math
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from bench.places import HERE
from bench.timing import say

__all__ = ["Load", "Mark", "Outcome", "loaded", "percentile", "tell", "watched"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """One request: when it began, how long it took, its status (0 when it failed) and what was wrong."""

    began: float
    took_s: float
    status: int
    has_retry_after: bool
    failure: str


@dataclass(slots=True)
class Load:
    """``outcomes`` are there once the load has ended; ``skipped`` counts requests that found no connection."""

    outcomes: list[Outcome] = field(default_factory=list)
    skipped: int = 0

    @property
    def failures(self) -> list[Outcome]:
        """Requests that were neither answered with 200 nor refused for the load."""
        return [each for each in self.outcomes if each.failure]

    def between(self, start: float, end: float) -> list[Outcome]:
        return [each for each in self.outcomes if start <= each.began < end]


@contextmanager
def loaded(
    url: str, connections: int, body: str, *, pause_s: float = 0.0, rate: float = 0.0, headers: Sequence[str] = ()
) -> Iterator[Load]:
    """Ask the URL as long as the context lasts."""
    words = [sys.executable, HERE / "load_process.py", url, str(connections), body, "--pause", str(pause_s)]
    words += ["--rate", str(rate), *(word for each in headers for word in ("--header", each))]
    found = Load()
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield found
            text, _ = process.communicate()
        finally:
            if process.poll() is None:
                process.kill()
    if process.returncode:
        sys.exit(f"The load ended with {process.returncode}.")
    for line in text.splitlines():
        row = json.loads(line)
        if isinstance(row, list):
            found.outcomes.append(Outcome(*row))
        else:
            found.skipped = row["skipped"]


def percentile(outcomes: Iterable[Outcome], share: float) -> float:
    """Seconds within which that share of the requests was answered; not a number for none."""
    times = sorted(each.took_s for each in outcomes)
    return times[min(len(times) - 1, int(len(times) * share))] if times else math.nan


def watched(seconds: float) -> tuple[float, float]:
    """Wait; gives when that began and ended on the clock of the outcomes."""
    began = time.monotonic()
    time.sleep(seconds)
    return began, time.monotonic()


@dataclass(frozen=True, slots=True)
class Mark:
    """One figure beside what it has to be."""

    figure: str
    found: str
    wanted: str
    is_held: bool


def tell(marks: Sequence[Mark], failures: Sequence[Outcome] = ()) -> int:
    """Print the table and the first failures; 1 when a mark was missed."""
    width = max(len(each.figure) for each in marks)
    for each in marks:
        say(f"{'  ' if each.is_held else 'X '}{each.figure:<{width}}  {each.found:>14}  (wanted: {each.wanted})")
    for failed in failures[:5]:
        say(f"failed: {failed.failure[:200]}")
    return 0 if all(each.is_held for each in marks) else 1
