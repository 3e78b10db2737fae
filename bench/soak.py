"""``python -m bench.soak``: half of the load that a deployment bears, for a long time.

Memory of the flow's server and of the switch may grow by 5 MB an hour at most, their open files may not grow, and no
request may fail. The slope is that of a straight line through the samples of the last two thirds. Exits 1 when a mark
is missed.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.load import Mark, loaded, tell, watched
from bench.served_flow import BODY, behind_switch, quiet_warning
from bench.timing import say
from bench.tree import tree

_PEAK_S = 4.0
_MOST_MB_H = 5.0


@dataclass(frozen=True, slots=True)
class Sample:
    at_s: float
    rss_mb: float
    files: int


def main() -> int:
    options = _options()
    quiet_warning()
    with behind_switch(options.latency) as (_, url, folder):
        with loaded(f"{url}/score", options.clients, BODY) as trial:
            time.sleep(1.0)
            window = watched(_PEAK_S)
        peak = len(trial.between(*window)) / _PEAK_S
        say(f"peak {peak:.0f} requests/s at {options.clients} connections; half of it for {options.minutes:g} minutes")
        watched_ones = {
            "switch": int((folder / "switch.lock").read_text("ascii")),
            "server": tree(int((folder / "deployments" / "v0" / "supervisor.lock").read_text("ascii")))[1],
        }
        samples: dict[str, list[Sample]] = {name: [] for name in watched_ones}
        with loaded(f"{url}/score", options.clients, BODY, rate=peak / 2) as load:
            ends = time.monotonic() + options.minutes * 60
            while time.monotonic() < ends:
                time.sleep(min(options.every, max(0.1, ends - time.monotonic())))
                for name, pid in watched_ones.items():
                    samples[name].append(_sample(pid))
    bad = [each for each in load.outcomes if each.status != 200]
    marks = [Mark("failed or refused requests", f"{len(bad)} of {len(load.outcomes)}", "0", not bad)]
    for name, found in samples.items():
        marks += _marks(name, found[len(found) // 3 :])
    return tell(marks, load.failures)


def _marks(name: str, found: Sequence[Sample]) -> list[Mark]:
    slope = _slope(found) * 3600
    first, last = found[0].files, found[-1].files
    return [
        Mark(f"{name}: resident memory", f"{found[-1].rss_mb:.1f} MB", "", is_held=True),
        Mark(f"{name}: growth", f"{slope:+.1f} MB/h", f"at most {_MOST_MB_H:g}", slope <= _MOST_MB_H),
        Mark(f"{name}: open files", f"{first} to {last}", "no growth", last <= first + 2),
    ]


def _sample(pid: int) -> Sample:
    pages = int(Path("/proc", str(pid), "statm").read_text("ascii").split()[1])
    files = len(list(Path("/proc", str(pid), "fd").iterdir()))
    return Sample(time.monotonic(), pages * os.sysconf("SC_PAGE_SIZE") / 1e6, files)


def _slope(found: Sequence[Sample]) -> float:
    """MB in a second, by least squares."""
    middle_x = sum(each.at_s for each in found) / len(found)
    middle_y = sum(each.rss_mb for each in found) / len(found)
    over = sum((each.at_s - middle_x) * (each.rss_mb - middle_y) for each in found)
    under = sum((each.at_s - middle_x) ** 2 for each in found)
    return over / under if under else 0.0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--latency", type=float, default=0.005, help="seconds of a request (default 0.005)")
    parser.add_argument("--every", type=float, default=5.0, help="seconds between two samples (default 5)")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
