"""``python -m bench.switches``: deployments change behind a switch while clients ask without a pause.

Each change is a whole deployment on the target local: the new one is created, gets all requests, and the old one is
removed. No request may fail, and the 99th percentile in the second after a change is at most twice that of a time
without changes. Exits 1 when one of both is missed.
"""

from __future__ import annotations

import argparse
import sys
import time

from bench.load import Mark, loaded, percentile, tell, watched
from bench.served_flow import BODY, ENDPOINT, behind_switch, quiet_warning, wanted
from bench.timing import say

_AFTER_S = 1.0
_STEADY_S = 5.0


def main() -> int:
    options = _options()
    quiet_warning()
    moments: list[float] = []
    with (
        behind_switch(options.latency) as (target, url, _),
        loaded(f"{url}/score", options.clients, BODY) as load,
    ):
        time.sleep(1.0)
        steady = watched(_STEADY_S)
        for number in range(options.switches):
            target.apply(wanted(number + 1, options.latency))
            moments.append(time.monotonic())
            target.set_shares(ENDPOINT, {f"v{number + 1}": 100})
            if not options.keep_old:
                target.remove(ENDPOINT, f"v{number}")
            time.sleep(max(0.0, moments[-1] + _AFTER_S - time.monotonic()))
            say(f"{number + 1} of {options.switches}") if (number + 1) % 10 == 0 else None
    during = [each for moment in moments for each in load.between(moment, moment + _AFTER_S)]
    p99, usual = percentile(during, 0.99), percentile(load.between(*steady), 0.99)
    refused = [each for each in load.outcomes if each.status != 200]
    say(f"{len(load.outcomes)} requests of {options.clients} clients, {options.switches} switches")
    return tell(
        [
            Mark("failed or refused requests", str(len(refused)), "0", not refused),
            Mark("p99 without changes", f"{usual * 1000:.1f} ms", "", is_held=True),
            Mark("p99 in the second after a change", f"{p99 * 1000:.1f} ms", "at most twice that", p99 <= 2 * usual),
        ],
        load.failures,
    )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.switches", description=__doc__)
    parser.add_argument("--switches", type=int, default=100)
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--latency", type=float, default=0.05, help="seconds of a request (default 0.05)")
    parser.add_argument("--keep-old", action="store_true", help="do not remove what served before")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
