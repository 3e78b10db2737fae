"""A flow over HTTP on one process: requests in a second, waiting times, memory, start, beside promptflow's."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.flows import llm_flow, python_node_flow
from bench.mock import mock_model
from bench.places import FLOWYARD, HERE, PEER_PF, PEER_PYTHON, SCRATCH, has_peer, own_env, peer_env
from bench.table import Row

_SECONDS = 4.0
_MODEL_SECONDS = 10.0
"""Answers come in bursts of all connections then, so a short time would be counted in whole bursts."""
_LATENCY_S = 0.2
_TRIVIAL = json.dumps({"text": "hello"})
_QUESTION = json.dumps({"question": "What is it?"})
_CALL = json.dumps({"model": "mock", "messages": [{"role": "user", "content": "What is it?"}]})
_FEW = 16
_MANY = 64


@dataclass(frozen=True, slots=True)
class Side:
    """One server and how it is started."""

    name: str
    command: Sequence[str | Path]
    env: dict[str, str]


@dataclass(frozen=True, slots=True)
class Running:
    """``ready_s`` is the time from the start of the process to the first answer to ``/health``."""

    url: str
    pid: int
    ready_s: float

    @property
    def memory_mb(self) -> float:
        """Of the process and its children."""
        return sum(_memory_kb(pid) for pid in _family(self.pid)) / 1024


def run(runs: int) -> list[Row]:
    flow = python_node_flow()
    ours = [_trivial(_own(), flow) for _ in range(runs)]
    best = max(ours, key=lambda each: each[0]["per_s"])
    least = min(ours, key=lambda each: each[1].ready_s)
    peers = [_trivial(side, flow, (_FEW, _MANY)) for side in _peers() for _ in range(max(1, runs - 1))]
    rows = _trivial_rows(best, least, peers)
    return [*rows, *_model_rows(runs)]


_Measured = tuple[dict[str, float], Running, float]


def _trivial_rows(best: _Measured, least: _Measured, peers: list[_Measured]) -> list[Row]:
    peer = max(peers, key=lambda each: each[0]["per_s"]) if peers else None
    quick = min(peers, key=lambda each: each[0]["p99_s"]) if peers else None
    small = min(peers, key=lambda each: each[2]) if peers else None
    soon = min(peers, key=lambda each: each[1].ready_s) if peers else None
    what = f"1 python node, {_MANY} connections, {_SECONDS:g} s"

    def row(figure: str, own: float, other: float | None, unit: str, *, more: bool, wanted: float) -> Row:
        ratio = None if other is None else own / other if more else other / own
        return Row("serve", figure, _text(own, unit), "" if other is None else _text(other, unit), ratio, wanted, what)

    return [
        row("requests in a second", best[0]["per_s"], peer and peer[0]["per_s"], "/s", more=True, wanted=10),
        row("99 % are answered within", best[0]["p99_s"], quick and quick[0]["p99_s"], "s", more=False, wanted=5),
        row("memory when idle", best[2], small and small[2], "MB", more=False, wanted=2),
        row("start to first answer", least[1].ready_s, soon and soon[1].ready_s, "s", more=False, wanted=2),
    ]


def _model_rows(runs: int) -> list[Row]:
    rows = []
    with mock_model(_LATENCY_S) as mock:
        env = {"bench_model": mock.connection}
        with _running(_own(**env), llm_flow()) as server:
            rows.append(_added_row(server, mock.url, runs))
            for connections, wanted in ((_MANY, 0.95), (256, 0.8)):
                found = [_load(server.url, connections, _QUESTION, _MODEL_SECONDS) for _ in range(runs)]
                most, ideal = max(each["per_s"] for each in found), connections / _LATENCY_S
                what = f"1 model call of {_LATENCY_S:g} s"
                figure = f"requests in a second, {connections} connections"
                rows.append(Row("serve", figure, f"{most:.0f}/s", f"{ideal:.0f}/s", most / ideal, wanted, what))
    return rows


def _added_row(server: Running, model: str, runs: int) -> Row:
    """What serving adds to the same calls made to the model itself."""
    own_s = min(_load(server.url, _FEW, _QUESTION, _MODEL_SECONDS)["p50_s"] for _ in range(runs))
    bare_s = min(_load(model, _FEW, _CALL, path="/v1/chat/completions")["p50_s"] for _ in range(runs))
    added_s = max(own_s - bare_s, 1e-6)
    what = f"1 model call, itself {bare_s * 1e3:.1f} ms"
    figure = f"added to the call, p50, {_FEW} connections"
    return Row("serve", figure, f"{added_s * 1e3:.1f} ms", "5 ms", 0.005 / added_s, 1, what)


def _own(**more: str) -> Side:
    return Side("flowyard", [*FLOWYARD, "flow", "serve"], own_env(**more))


def _peers() -> list[Side]:
    if not has_peer():
        return []
    command = [PEER_PF, "flow", "serve", "--skip-open-browser", "--engine"]
    engines = ["flask", *(["fastapi"] if (PEER_PYTHON.parent / "uvicorn").exists() else [])]
    return [Side(f"promptflow, {engine}", [*command, engine], peer_env()) for engine in engines]


def _trivial(side: Side, flow: Path, connections: Sequence[int] = (_MANY,)) -> _Measured:
    """The waiting times of the last number of connections; the requests in a second of the best."""
    with _running(side, flow) as server:
        idle_mb = server.memory_mb
        _load(server.url, _MANY, _TRIVIAL, seconds=1.0)
        found = [_load(server.url, each, _TRIVIAL) for each in connections]
        return {**found[-1], "per_s": max(each["per_s"] for each in found)}, server, idle_mb


def _load(url: str, connections: int, body: str, seconds: float = _SECONDS, path: str = "/score") -> dict[str, float]:
    words = [sys.executable, HERE / "http_load.py", f"{url}{path}", str(connections), str(seconds), body]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"http_load.py ended with {done.returncode}:\n{done.stderr}")
    found = json.loads(done.stdout)
    if found["failed"]:
        sys.exit(f"{found['failed']} requests failed, the first with {found['first_failure']}")
    return {name: float(found[name]) for name in ("per_s", "p50_s", "p99_s")}


@contextmanager
def _running(side: Side, flow: Path) -> Iterator[Running]:
    port = _free_port()
    url = f"http://127.0.0.1:{port}"
    words = [*side.command, "--source", flow, "--host", "127.0.0.1", "--port", str(port)]
    log = SCRATCH / "serve.log"
    started = time.perf_counter()
    with log.open("w") as file:
        server = subprocess.Popen(
            words, env=side.env, cwd=SCRATCH, stdout=file, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        while not _answers(f"{url}/health"):
            if server.poll() is not None or time.perf_counter() - started > 60:
                sys.exit(f"{side.name} does not answer:\n{log.read_text()}")
            time.sleep(0.01)
        yield Running(url, server.pid, time.perf_counter() - started)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(server.pid, signal.SIGKILL)  # promptflow's does not end when it is asked to
        server.wait()


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 - our own server
            return bool(answer.status == 200)
    except (urllib.error.URLError, ConnectionError):
        return False


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def _family(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text("utf-8").split()
    return [pid, *(each for child in children for each in _family(int(child)))]


def _memory_kb(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text("utf-8").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    return 0


def _text(value: float, unit: str) -> str:
    if unit == "/s":
        return f"{value:,.0f}/s"
    return f"{value:.0f} MB" if unit == "MB" else f"{value * 1e3:.1f} ms" if value < 1 else f"{value:.2f} s"
