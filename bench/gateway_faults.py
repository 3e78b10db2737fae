"""``python -m bench.gateway_faults``: the gateway while weights change, a shadow fails and a canary becomes bad.

``changes``: weights change under load; no request may fail, and in each epoch the arms have the share of their weights
within four standard deviations. ``mirror``: copies go to a shadow that is dead, takes 30 s or answers 500; callers may
notice 5 % or 1 ms at their 99th percentile, and the gateway may need 64 MB more. ``canary``: one begins to fail 20 %;
``flowyard ab`` has to give it nothing within two intervals. Exits 1 when a mark is missed.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from typing import Any

from bench.gateway_parts import FOLDER, RunningGateway, backend, epochs_outside, free_port, gateway, gateway_env
from bench.load import Mark, loaded, percentile, tell
from bench.places import FLOWYARD
from bench.served_flow import quiet_warning
from bench.timing import say

_MIRROR = {"to": "shadow", "at_once": 4, "waiting": 10_000, "budget_per_hour": 10_000_000}
_SHORT, _LONG = 2_000, 100_000
"""Bytes of requests."""
_SHADOWS = ("none", "dead", "slow", "failing")
_POLICY = """\
name: bench
arms: {{control: a, treatment: b}}
unit: request
primary: {{metric: feedback, field: feedback.rating, success: [up]}}
guardrails: [{{metric: error_rate, most: 0.05}}]
interval: {interval}s
ramp: [20]
split: {{gateway: "{url}", key: "${{GATEWAY_KEY}}"}}
"""


def main() -> int:
    options = _options()
    quiet_warning()
    marks: list[Mark] = []
    for name in options.only or _PARTS:
        marks += _PARTS[name](options)
    return tell(marks)


def _changes(options: argparse.Namespace) -> list[Mark]:
    ports = {"a": (free_port(), 50), "b": (free_port(), 50)}
    with backend(ports["a"][0]), backend(ports["b"][0]), gateway(ports) as running:
        with loaded(f"{running.url}/score", 16, "{}") as load:
            time.sleep(0.5)
            for number in range(options.changes):
                share = number * 37 % 101
                running.control.set_weights({"a": share, "b": 100 - share}, "a step")
                time.sleep(options.pause)
        time.sleep(1)
        epochs = running.control.epochs()
    failed = [each for each in load.outcomes if each.status != 200]
    outside, seen = epochs_outside(FOLDER / "exposures", epochs, "b")
    return [
        Mark(f"failed at {options.changes} weight changes", f"{len(failed)} of {len(load.outcomes)}", "0", not failed),
        Mark("epochs beyond 4 sigma of their share", f"{outside} of {seen}", "at most 1", outside <= 1),
    ]


def _mirror(options: argparse.Namespace) -> list[Mark]:
    """Each shadow in turn, in each round, so that what disturbs one disturbs all; in a last one, bodies are long."""
    p99: dict[str, list[float]] = {name: [] for name in _SHADOWS}
    memory: dict[str, float] = {}
    failed = asked = 0
    for body in (*[_SHORT] * options.rounds, _LONG):
        for name in _SHADOWS:
            with _shadowed(name) as running, loaded(f"{running.url}/score", 64, "x" * body, rate=options.rate) as load:
                time.sleep(1 + options.seconds)
                memory[name] = running.peak_mb()
            late = min(each.began for each in load.outcomes) + 1
            found = percentile(load.between(late, late + options.seconds), 0.99)
            if body == _SHORT:
                p99[name].append(found)
            asked += len(load.outcomes)
            failed += sum(each.status != 200 for each in load.outcomes)
            say(f"{name:8} {body:>7,} bytes: p99 {found * 1000:.2f} ms, most memory {memory[name]:.1f} MB")
    usual = min(p99["none"])  # the least of the rounds: what else runs on the machine can only add
    marks = [Mark("failed requests beside bad shadows", f"{failed} of {asked}", "0", not failed)]
    marks.append(Mark("p99 without a mirror", f"{usual * 1000:.2f} ms", "", is_held=True))
    for name in _SHADOWS[1:]:
        found, more = min(p99[name]), memory[name] - memory["none"]
        wanted = max(usual * 1.05, usual + 0.001)
        marks.append(
            Mark(f"p99, {name} shadow", f"{found * 1000:.2f} ms", f"at most {wanted * 1000:.2f} ms", found <= wanted)
        )
        marks.append(Mark(f"memory for copies, {name} shadow", f"{more:.1f} MB", "at most 64 MB", more <= 64))
    return marks


@contextmanager
def _shadowed(shadow: str) -> Iterator[RunningGateway]:
    """A gateway with such a shadow."""
    ports = {"a": (free_port(), 1.0), "shadow": (free_port(), 0.0)}
    spoilt = FOLDER.parent / "gateway_spoilt"
    spoilt.parent.mkdir(exist_ok=True)
    spoilt.write_text("always", "ascii")
    is_there = shadow in ("slow", "failing")
    behind = backend(ports["shadow"][0], 30.0 if shadow == "slow" else 0.0, spoilt) if is_there else nullcontext()
    more: Mapping[str, Any] = {} if shadow == "none" else {"mirror": _MIRROR}
    with backend(ports["a"][0], 0.005), behind, gateway(ports, **more) as running:
        yield running


def _canary(options: argparse.Namespace) -> list[Mark]:
    ports, spoilt = {"a": (free_port(), 1.0), "b": (free_port(), 0.0)}, FOLDER.parent / "gateway_spoilt"
    spoilt.unlink(missing_ok=True)
    found = []
    for number in range(options.canaries):
        with backend(ports["a"][0]), backend(ports["b"][0], 0.0, spoilt), gateway(ports) as running:
            url = (FOLDER / "state" / "control.address").read_text("utf-8")
            (FOLDER / "ab.yaml").write_text(_POLICY.format(interval=options.interval, url=url), "utf-8")
            _flowyard("ab", "start", ".").wait()
            with loaded(f"{running.url}/score", 64, "{}", rate=options.rate):
                collecting = _flowyard("monitor", "collect", "exposures", "--follow", "--every", "1")
                deciding = _flowyard("ab", "decide", ".", "--every", str(options.interval))
                time.sleep(4 * options.interval)
                is_kept = running.control.state()["weights"]["b"] == 20
                spoilt.write_text("", "ascii")
                began = time.monotonic()
                while running.control.state()["weights"]["b"] and time.monotonic() < began + 20 * options.interval:
                    time.sleep(0.05)
                found.append((time.monotonic() - began) / options.interval)
                for each in (deciding, collecting):
                    each.terminate()
                    each.wait()
            spoilt.unlink()
            say(f"{number + 1} back at 0 % after {found[-1]:.2f} intervals")
            if not is_kept:
                say("But it was rolled back before it failed.")
                found[-1] = float("inf")
    soon = sum(each <= 2 for each in found)
    text = f"{soon} of {len(found)}, worst {max(found):.2f}"
    return [Mark("canaries of which 20 % fail, back at 0 % in 2 intervals", text, "all", soon == len(found))]


def _flowyard(*words: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen((*FLOWYARD, *words), cwd=FOLDER, env=gateway_env(), stdout=subprocess.DEVNULL)


_PARTS: Mapping[str, Callable[[argparse.Namespace], list[Mark]]] = {
    "changes": _changes,
    "mirror": _mirror,
    "canary": _canary,
}


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.gateway_faults", description=__doc__)
    parser.add_argument("--only", action="append", choices=_PARTS)
    parser.add_argument("--changes", type=int, default=1000)
    parser.add_argument("--pause", type=float, default=0.01, help="seconds between two changes (default 0.01)")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=5.0, help="of each round and shadow (default 5)")
    parser.add_argument("--rate", type=float, default=200.0, help="requests in a second (default 200)")
    parser.add_argument("--canaries", type=int, default=3)
    parser.add_argument("--interval", type=int, default=5, help="seconds between two decisions (default 5)")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
