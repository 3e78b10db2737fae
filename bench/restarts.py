"""``python -m bench.restarts``: a served flow is restarted behind its switch, again and again, under load.

Each restart is a SIGTERM to the flow's server, as an operator or an orchestrator sends it; its supervisor starts it
again. No request may fail. Exits 1 when one does.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from pathlib import Path

from bench.load import Mark, loaded, percentile, tell
from bench.served_flow import BODY, behind_switch, quiet_warning
from bench.timing import say
from bench.tree import tree

_READY_S = 120.0


def main() -> int:
    options = _options()
    quiet_warning()
    with (
        behind_switch(options.latency) as (_, url, folder),
        loaded(f"{url}/score", options.clients, BODY) as load,
    ):
        time.sleep(1.0)
        for number in range(options.restarts):
            _restart(folder / "deployments" / "v0")
            say(f"{number + 1} of {options.restarts}") if (number + 1) % 10 == 0 else None
        time.sleep(1.0)
    bad = [each for each in load.outcomes if each.status != 200]
    longest = max(each.took_s for each in load.outcomes)
    say(f"{len(load.outcomes)} requests of {options.clients} clients, {options.restarts} restarts")
    return tell(
        [
            Mark("failed or refused requests", str(len(bad)), "0", not bad),
            Mark("p99", f"{percentile(load.outcomes, 0.99) * 1000:.0f} ms", "", is_held=True),
            Mark("longest wait", f"{longest:.1f} s", "", is_held=True),
        ],
        load.failures,
    )


def _restart(folder: Path) -> None:
    """End the server that answers now, and wait until another one does."""
    supervisor = int((folder / "supervisor.lock").read_text("ascii"))
    before = tree(supervisor)[1]
    os.kill(before, signal.SIGTERM)
    until = time.monotonic() + _READY_S
    while tree(supervisor)[1:2] in ([], [before]) or not (folder / "address").exists():
        if time.monotonic() > until:
            sys.exit("It was not started again.")
        time.sleep(0.05)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.restarts", description=__doc__)
    parser.add_argument("--restarts", type=int, default=100)
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--latency", type=float, default=0.05, help="seconds of a request (default 0.05)")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
