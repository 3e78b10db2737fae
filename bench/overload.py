"""``python -m bench.overload``: four times the requests that a served flow can take.

What can be taken is answered (at least 90 % of the peak), the rest is refused at once (99 % within 50 ms) and told when
to come again, and within 5 s after the rush all is answered again. Counts of the server and of the client agree. Exits
1 when a mark is missed. Requests begin at a fixed rate, whatever becomes of those before.
"""

from __future__ import annotations

import argparse
import sys
import time

from bench.load import Load, Mark, Outcome, loaded, percentile, tell, watched
from bench.served_flow import BODY, quiet_warning, score_counts, served
from bench.timing import say

_PEAK_S = 4.0
_MOST_REJECT_S = 0.05
_MOST_RECOVERY_S = 5.0


def main() -> int:
    options = _options()
    quiet_warning()
    with served(options.latency, FLOWYARD_SERVE_AT_ONCE=str(options.at_once)) as server:
        url = f"{server.url}/score"
        with loaded(url, options.at_once, BODY) as trial:
            time.sleep(1.0)
            window = watched(_PEAK_S)
        peak = _goodput(trial, window)
        with loaded(url, 4096, BODY, rate=peak * options.times) as rush:
            time.sleep(1.0)
            window = watched(options.seconds)
        ended = time.monotonic()
        with loaded(url, 4096, BODY, rate=peak / 2) as after:
            time.sleep(2 * _MOST_RECOVERY_S)
        counts = score_counts(server.url)
    say(f"peak {peak:.0f} requests/s; {options.times:g} times that for {options.seconds:g} s: {len(rush.outcomes)}")
    rejects = [each for each in rush.between(*window) if each.status in (429, 503)]
    return tell(
        [
            *_reject_marks(rejects),
            _share_mark(_goodput(rush, window), peak),
            _recovery_mark(after, ended),
            _count_mark(counts, [*trial.outcomes, *rush.outcomes, *after.outcomes]),
            Mark("requests the client could not begin", str(rush.skipped), "0", rush.skipped == 0),
        ],
        [*rush.failures, *after.failures],
    )


def _goodput(load: Load, window: tuple[float, float]) -> float:
    good = [each for each in load.outcomes if each.status == 200 and window[0] <= each.began + each.took_s < window[1]]
    return len(good) / (window[1] - window[0])


def _reject_marks(rejects: list[Outcome]) -> list[Mark]:
    p99, untold = percentile(rejects, 0.99), sum(not each.has_retry_after for each in rejects)
    wanted = f"at most {_MOST_REJECT_S * 1000:g} ms"
    return [
        Mark("refused requests", str(len(rejects)), "some", bool(rejects)),
        Mark("p99 of a refusal", f"{p99 * 1000:.1f} ms", wanted, p99 <= _MOST_REJECT_S),
        Mark("refusals without Retry-After", str(untold), "0", untold == 0),
    ]


def _share_mark(goodput: float, peak: float) -> Mark:
    share = goodput / peak
    return Mark("answered, of the peak", f"{share:.1%}", "at least 90 %", share >= 0.9)


def _recovery_mark(after: Load, ended: float) -> Mark:
    """How long after the rush the last request was still refused or failed."""
    bad = [each.began + each.took_s - ended for each in after.outcomes if each.status != 200]
    took = max(bad, default=0.0)
    return Mark("recovery", f"{took:.2f} s", f"at most {_MOST_RECOVERY_S:g} s", took <= _MOST_RECOVERY_S)


def _count_mark(counts: dict[str, int], outcomes: list[Outcome]) -> Mark:
    seen: dict[str, int] = {}
    for each in outcomes:
        seen[str(each.status)] = seen.get(str(each.status), 0) + 1
    return Mark("counts of the server", str(counts), str(seen), counts == seen)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.overload", description=__doc__)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--times", type=float, default=4.0)
    parser.add_argument("--at-once", type=int, default=16, help="lines that the server takes at once (default 16)")
    parser.add_argument("--latency", type=float, default=0.1, help="seconds of a request (default 0.1)")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
