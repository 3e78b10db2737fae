"""``python -m bench.gateway``: the gateway beside nginx's ``split_clients``, in one run, each alone on one core.

Requests are of 5,000 users and otherwise alike; then of 50,000, with lengths and clients that vary.

Both split 90/10 by a header and write one line for each request. Backends and load share the other core. Then weights
change and backends are switched while clients ask without a pause: no request may fail; nginx changes by reload, and
its own figure stands beside. Needs nginx and wrk (Debian's packages), in the path or named. Exits 1 when a mark is
missed.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.gateway_files import BACKENDS, GATEWAY, LUA, PROXY, VARIED_LUA
from bench.load import Mark, loaded, tell
from bench.places import FLOWYARD, SCRATCH, own_env
from bench.served_flow import quiet_warning
from bench.timing import say
from flowyard.gateway import ControlClient

_HERE, _KEY = SCRATCH / "gateway", "bench"
_CONTROL = "http://127.0.0.1:9395"
_PORTS = {"direct": 9391, "nginx": 9390, "gateway": 9394}
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Figures:
    """Of one round: processor time of a request, of one of those that vary, answers in a second, median latency."""

    cpu_us: float
    varied_us: float
    per_s: float
    p50_us: float


def main() -> int:
    options = _options()
    quiet_warning()
    _prepare(options.nginx)
    with (
        _nginx(options.nginx, "backends", core=1),
        _nginx(options.nginx, "proxy", core=0) as proxy,
        _gateway() as gateway,
    ):
        worker = _child(proxy)
        found = _measured(options, {"nginx": worker, "gateway": gateway})
        marks = [*_ratio_marks(found), *_change_marks(options, proxy)]
    return tell(marks, [])


def _measured(options: argparse.Namespace, pids: dict[str, int]) -> dict[str, Figures]:
    """The medians of all rounds, which take turns so that what disturbs one disturbs both."""
    rounds: dict[str, list[Figures]] = {name: [] for name in (*pids, "direct")}
    for number in range(options.rounds):
        for name, port in _PORTS.items():
            pid = pids.get(name)
            cpu_us, per_s = _busy(options, port, pid, "load.lua")
            varied_us, _ = _busy(options, port, pid, "varied.lua") if pid is not None else (0.0, 0.0)
            _, _, p50_us = _wrk(options, port, connections=1)
            rounds[name].append(Figures(cpu_us, varied_us, per_s, p50_us))
            cpu = f"{cpu_us:6.1f} us each, {varied_us:6.1f} us if they vary,"
            say(f"{number + 1} {name:8} {cpu} {per_s:8.0f}/s  p50 alone {p50_us:.0f} us")
    fields = ("cpu_us", "varied_us", "per_s", "p50_us")
    return {
        name: Figures(*(statistics.median(getattr(each, field) for each in taken) for field in fields))
        for name, taken in rounds.items()
    }


def _busy(options: argparse.Namespace, port: int, pid: int | None, script: str) -> tuple[float, float]:
    """Microseconds of a process for each request, and how many were answered in a second."""
    before = _cpu_s(pid) if pid is not None else 0.0
    count, per_s, _ = _wrk(options, port, connections=32, script=script)
    return ((_cpu_s(pid) - before) / count * 1e6 if pid is not None else 0.0), per_s


def _ratio_marks(found: dict[str, Figures]) -> list[Mark]:
    ours, nginx, direct = found["gateway"], found["nginx"], found["direct"]
    cpu, rate, added = ours.cpu_us / nginx.cpu_us, ours.per_s / nginx.per_s, ours.p50_us - direct.p50_us
    varied = ours.varied_us / nginx.varied_us
    return [
        Mark("CPU per request, of nginx's", f"{cpu:.2f} ({ours.cpu_us:.1f} us)", "at most 2", cpu <= 2),
        Mark("the same for requests that vary", f"{varied:.2f} ({ours.varied_us:.1f} us)", "", is_held=True),
        Mark("requests in a second, of nginx's", f"{rate:.2f} ({ours.per_s:.0f})", "at least 0.5", rate >= 0.5),
        Mark("added p50 at one connection", f"{added:.0f} us", "at most 200", added <= 200),
        Mark("nginx's added p50", f"{nginx.p50_us - direct.p50_us:.0f} us", "", is_held=True),
    ]


def _change_marks(options: argparse.Namespace, proxy: int) -> list[Mark]:
    """Changes under load; the weights of nginx change by a reload of its configuration."""
    control = ControlClient(_CONTROL, _KEY)
    marks = []
    for what, count, shares in (("weight changes", options.changes, 101), ("backend switches", options.switches, 2)):
        with loaded(f"http://127.0.0.1:{_PORTS['gateway']}/score", 32, "{}") as load:
            time.sleep(0.5)
            for number in range(count):
                share = number * 37 % shares * (100 // (shares - 1))
                control.set_weights({"a": share, "b": 100 - share}, what)
        failed = sum(each.status != 200 for each in load.outcomes)
        marks.append(Mark(f"failed at {count} {what}", f"{failed} of {len(load.outcomes)}", "0", not failed))
    with loaded(f"http://127.0.0.1:{_PORTS['nginx']}/score", 32, "{}") as load:
        for _ in range(options.reloads):
            time.sleep(0.3)
            os.kill(proxy, 1)
        time.sleep(0.5)
    failed = sum(each.status != 200 for each in load.outcomes)
    marks.append(Mark(f"nginx at {options.reloads} reloads", f"{failed} of {len(load.outcomes)}", "", is_held=True))
    return marks


def _wrk(
    options: argparse.Namespace, port: int, *, connections: int, script: str = "load.lua"
) -> tuple[int, float, float]:
    """How many requests were answered, how many in a second, and the median latency in microseconds."""
    words = [
        shutil.which("taskset") or "taskset",
        "-c",
        "1",
        options.wrk,
        "-t1",
        f"-c{connections}",
        f"-d{options.seconds}s",
        "--latency",
    ]
    words += ["-s", str(_HERE / script), f"http://127.0.0.1:{port}/score"]
    text = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in text or "Socket errors" in text:
        say(text)
    count, rate = re.search(r"(\d+) requests in", text), re.search(r"Requests/sec:\s+([\d.]+)", text)
    p50 = re.search(r"50%\s+([\d.]+)(us|ms|s)", text)
    if count is None or rate is None or p50 is None:
        sys.exit(f"wrk said something else: {text}")
    return int(count[1]), float(rate[1]), float(p50[1]) * {"us": 1, "ms": 1e3, "s": 1e6}[p50[2]]


def _child(pid: int) -> int:
    """The worker that nginx has started."""
    return int(Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split()[0])


def _cpu_s(pid: int) -> float:
    """User and system time of a process."""
    fields = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def _prepare(nginx: str) -> None:
    if not nginx:
        sys.exit("nginx is not there. Next: apt-get install nginx-light wrk, or --nginx FILE --wrk FILE")
    shutil.rmtree(_HERE, ignore_errors=True)
    _HERE.mkdir(parents=True)
    for name, text in {
        "backends.conf": BACKENDS,
        "proxy.conf": PROXY,
        "gateway.yaml": GATEWAY,
        "load.lua": LUA,
        "varied.lua": VARIED_LUA,
    }.items():
        (_HERE / name).write_text(text, "utf-8")


@contextmanager
def _process(words: list[str], core: int, env: dict[str, str] | None = None) -> Iterator[int]:
    taskset = shutil.which("taskset") or "taskset"
    with subprocess.Popen((taskset, "-c", str(core), *words), cwd=_HERE, env=env) as process:
        try:
            yield process.pid
        finally:
            process.terminate()


@contextmanager
def _nginx(nginx: str, name: str, core: int) -> Iterator[int]:
    with _process([nginx, "-p", f"{_HERE}/", "-c", f"{name}.conf"], core) as pid:
        time.sleep(0.5)
        yield pid


@contextmanager
def _gateway() -> Iterator[int]:
    ready = _HERE / "ready"
    words = [*map(str, FLOWYARD), "gateway", "serve", "--config", "gateway.yaml", "--ready-file", str(ready)]
    with _process(words, 0, own_env(GATEWAY_KEY=_KEY)) as pid:
        until = time.monotonic() + 60
        while not ready.exists():
            if time.monotonic() > until:
                sys.exit("The gateway did not begin.")
            time.sleep(0.1)
        yield pid


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.gateway", description=__doc__)
    parser.add_argument("--nginx", default=shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin"))
    parser.add_argument("--wrk", default=shutil.which("wrk") or "wrk")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--changes", type=int, default=1000)
    parser.add_argument("--switches", type=int, default=100)
    parser.add_argument("--reloads", type=int, default=20)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
