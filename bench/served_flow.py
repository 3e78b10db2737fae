"""A flow that is served: alone, or deployed behind the switch of the target local."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.places import FLOWYARD, SCRATCH, own_env
from bench.timing import say
from flowyard.abc import Target
from flowyard.deploy.model import WantedDeployment
from flowyard.deploy.targets import open_target

__all__ = ["BODY", "ENDPOINT", "Served", "behind_switch", "quiet_warning", "score_counts", "served", "wanted"]

BODY = '{"text": "tea"}'
ENDPOINT = "bench-loads"
_FLOW = """\
inputs:
  text: {type: string}
outputs:
  answer: {type: string, reference: "${work.output}"}
nodes:
- name: work
  type: python
  source: {type: code, path: work.py}
  inputs: {text: "${inputs.text}"}
"""
_TOOL = """\
import asyncio
from promptflow.core import tool


@tool
async def work(text: str):
    await asyncio.sleep(%s)
    return text
"""
_READY_S = 60.0
_PLACE = SCRATCH / f"loads_{os.getpid()}"
"""Several of these benches may run at once."""


@dataclass(frozen=True, slots=True)
class Served:
    """A flow's server and the id of its process."""

    url: str
    pid: int


def flow_of(latency_s: float) -> Path:
    """A flow whose one node waits that long; its folder."""
    folder = _PLACE / "flow"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / "flow.dag.yaml").write_text(_FLOW, "utf-8")
    (folder / "work.py").write_text(_TOOL % latency_s, "utf-8")
    return folder


@contextmanager
def served(latency_s: float, **variables: str) -> Iterator[Served]:
    """``flowyard flow serve`` over a flow that waits."""
    flow, ready = flow_of(latency_s), _PLACE / "ready"
    ready.unlink(missing_ok=True)
    words = [*FLOWYARD, "flow", "serve", "--flow", flow, "--port", "0", "--ready-file", ready]
    with subprocess.Popen(words, env=own_env(**variables), stdout=subprocess.DEVNULL) as process:
        try:
            until = time.monotonic() + _READY_S
            while not ready.exists():
                if process.poll() is not None or time.monotonic() > until:
                    sys.exit("The flow is not served.")
                time.sleep(0.02)
            yield Served(ready.read_text("utf-8"), process.pid)
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(40)
            except subprocess.TimeoutExpired:
                process.kill()


@contextmanager
def behind_switch(latency_s: float, **variables: str) -> Iterator[tuple[Target, str, Path]]:
    """The target local with the deployment ``v0`` serving: the target, the endpoint's URL and its folder."""
    home = _PLACE / "home"
    target = open_target("local", home, {**os.environ, **own_env(**variables)}, {})
    target.remove(ENDPOINT)
    try:
        target.apply(wanted(0, latency_s))
        target.set_shares(ENDPOINT, {"v0": 100})
        with target.reach(ENDPOINT) as address:
            yield target, address.url, home / "deployments" / "local" / ENDPOINT
    finally:
        target.remove(ENDPOINT)
        shutil.rmtree(_PLACE, ignore_errors=True)


def wanted(number: int, latency_s: float) -> WantedDeployment:
    """The deployment of that number; all serve the same flow."""
    label, digest = f"bench:{number}", f"{number:064d}"
    return WantedDeployment(
        ENDPOINT, f"v{number}", label, digest, folder=flow_of(latency_s), definition="flow.dag.yaml"
    )


def score_counts(url: str, key: str = "") -> dict[str, int]:
    """How many requests for lines a server says that it answered, by status."""
    request = urllib.request.Request(f"{url}/metrics", headers={"api-key": key} if key else {})  # noqa: S310 - our own
    with urllib.request.urlopen(request, timeout=30) as response:  # noqa: S310 - our own server
        text = response.read().decode()
    found = {}
    for line in text.splitlines():
        if line.startswith('flowyard_serve_requests_total{route="/score"'):
            found[line.split('status="')[1].split('"')[0]] = int(float(line.rsplit(" ", 1)[1]))
    return found


def quiet_warning() -> None:
    """Say so when others use the cores: times then mean little, counts still do."""
    before = os.getloadavg()[0]
    if before > 0.5 * (os.cpu_count() or 1):
        say(f"WARNING    the machine is not quiet (load {before:.1f}): counts hold, times mean little")
