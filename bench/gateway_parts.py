"""A gateway and backends as processes, for benches of what goes wrong. As a program, it is one backend.

``python -m bench.gateway_parts PORT LATENCY SPOILT``: answers each request after so many seconds; while the file SPOILT
is there, every fifth one with 500, or, when ``always`` is in it, all of them.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import scipy.stats

from bench.places import FLOWYARD, ROOT, SCRATCH, own_env
from flowyard.gateway import ControlClient
from flowyard.wire import Request, Response, WireServer

__all__ = ["FOLDER", "KEY", "RunningGateway", "backend", "epochs_outside", "free_port", "gateway", "gateway_env"]

FOLDER, KEY = SCRATCH / "gateway_faults", "bench"
_FOUR_SIGMA = 2 * scipy.stats.norm.sf(4)
_BEGIN_S = 60


@dataclass(frozen=True, slots=True)
class RunningGateway:
    url: str
    control: ControlClient
    pid: int

    def peak_mb(self) -> float:
        """The most memory that it has had."""
        lines = Path(f"/proc/{self.pid}/status").read_text("ascii").splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def gateway_env() -> dict[str, str]:
    return own_env(GATEWAY_KEY=KEY, FLOWYARD_HOME=str(FOLDER / "home"))


@contextmanager
def backend(port: int, latency_s: float = 0.0, spoilt: Path | None = None) -> Iterator[None]:
    """A backend on the second core, where the load is, too."""
    words = [sys.executable, "-m", "bench.gateway_parts", str(port), str(latency_s), str(spoilt or FOLDER / "never")]
    with _process(words, core=1, cwd=ROOT):
        _until_open(port)
        yield


@contextmanager
def gateway(backends: Mapping[str, tuple[int, float]], **more: Any) -> Iterator[RunningGateway]:
    """A gateway on the first core; ``backends`` have a port and a weight."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    ready, control = FOLDER / "ready", f"127.0.0.1:{free_port()}"
    settings = {
        "name": "bench",
        "listen": "127.0.0.1:0",
        "backends": {
            name: {"url": f"http://127.0.0.1:{port}", "weight": weight} for name, (port, weight) in backends.items()
        },
        "exposures": "exposures",
        "state": "state",
        "control": {"listen": control, "key": "${GATEWAY_KEY}"},
        **more,
    }
    (FOLDER / "gateway.yaml").write_text(json.dumps(settings, indent=1), "utf-8")
    words = [*map(str, FLOWYARD), "gateway", "serve", "--config", "gateway.yaml", "--ready-file", str(ready)]
    with _process(words, core=0, cwd=FOLDER) as pid:
        until = time.monotonic() + _BEGIN_S
        while not ready.exists():
            if time.monotonic() > until:
                sys.exit("The gateway did not begin.")
            time.sleep(0.1)
        yield RunningGateway(ready.read_text("utf-8").strip(), ControlClient(f"http://{control}", KEY), pid)


def epochs_outside(exposures: Path, epochs: list[dict[str, Any]], arm: str) -> tuple[int, int]:
    """In how many epochs the arm's share of the requests is not that of its weight, by four standard deviations.

    By the exact binomial probability, because most epochs are short. Also how many epochs had requests.
    """
    counts: Counter[tuple[int, bool]] = Counter()
    for file in exposures.glob("*.jsonl"):
        for line in file.read_bytes().splitlines():
            record = json.loads(line)
            counts[record["epoch"], record["assigned"] == arm] += 1
    outside = seen = 0
    for epoch in epochs:
        got, other = counts[epoch["epoch"], True], counts[epoch["epoch"], False]
        if got + other:
            share = epoch["weights"][arm] / sum(epoch["weights"].values())
            seen += 1
            outside += scipy.stats.binomtest(got, got + other, share).pvalue < _FOUR_SIGMA
    return outside, seen


@contextmanager
def _process(words: list[str], core: int, cwd: Path) -> Iterator[int]:
    taskset = shutil.which("taskset") or "taskset"
    with subprocess.Popen((taskset, "-c", str(core), *words), cwd=cwd, env=gateway_env()) as process:
        try:
            yield process.pid
        finally:
            process.terminate()


def _until_open(port: int) -> None:
    until = time.monotonic() + _BEGIN_S
    while True:
        with socket.socket() as tried:
            if not tried.connect_ex(("127.0.0.1", port)):
                return
        if time.monotonic() > until:
            sys.exit("A backend did not begin.")
        time.sleep(0.1)


def _fails(spoilt: Path, count: int) -> bool:
    return spoilt.exists() and (count % 5 == 0 or spoilt.read_text("ascii") == "always")


async def _answer(port: int, latency_s: float, spoilt: Path) -> None:
    count = 0

    async def handle(_request: Request) -> Response:
        nonlocal count
        if latency_s:
            await asyncio.sleep(latency_s)
        count += 1
        return Response(500 if _fails(spoilt, count) else 200, b'{"answer": "tea"}')

    server = WireServer(handle, lambda refusal: Response(refusal.status))
    await server.listen("127.0.0.1", port)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_answer(int(sys.argv[1]), float(sys.argv[2]), Path(sys.argv[3])))
