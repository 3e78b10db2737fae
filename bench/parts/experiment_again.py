"""An experiment of 48 runs that is run a second time: no model call, and how long it takes all the same."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.again_project import DATASETS, SELECTIONS, write_again_project
from bench.places import FLOWYARD, ROOT, SCRATCH, own_env
from bench.table import Row
from bench.timing import time_command

_WANTED_S = 5.0
_RUNS = SELECTIONS * len(DATASETS) * 3
_FIGURE = "4 variants × 2 parameters × 2 datasets × 2 evaluators"


def run(runs: int) -> list[Row]:
    folder = SCRATCH / "again"
    shutil.rmtree(folder, ignore_errors=True)
    project = write_again_project(ROOT / "examples" / "ticket_triage", folder)
    with _served(project) as url:
        env = own_env(TRIAGE_MODEL_API_KEY="none", TRIAGE_MODEL_BASE_URL=f"{url}/v1")
        words = [*FLOWYARD, "experiment", "run", project, "--max-failed-lines", "100000", "--json"]
        started = time.perf_counter()
        first = _result(subprocess.run(words, cwd=project, env=env, capture_output=True, text=True, check=False))
        first_s = time.perf_counter() - started
        asked = _calls(url)
        again = time_command("again", words, runs=runs, cwd=project, env=env)
        more = _calls(url) - asked
    _require_same(first, json.loads(again.output))
    lines = sum(each["lines"]["total"] for each in first["runs"])
    note = f"{_RUNS} runs, {lines} lines judged twice each; first run {first_s:.1f} s"
    return [
        Row("experiment_again", f"{_FIGURE}: calls of a first run", str(asked)),
        Row("experiment_again", f"{_FIGURE}: calls of the same again", str(more), "0", 1.0 if more == 0 else 0.0, 1),
        Row("experiment_again", f"{_FIGURE}: again", again.best, f"{_WANTED_S:g} s", _WANTED_S / again.min_s, 1, note),
    ]


def _require_same(first: dict[str, Any], again: dict[str, Any]) -> None:
    """Both executions measured the same."""
    found = [
        [(run["dataset"], run["variant"], each["evaluator"], each["metrics"])]
        for result in (first, again)
        for run in result["runs"]
        for each in run["evaluations"]
    ]
    half = len(found) // 2
    if half != _RUNS * 2 // 3 or found[:half] != found[half:]:
        sys.exit(f"The second execution measured something else: {found[:half]} and {found[half:]}")


def _result(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    if done.returncode != 0:
        sys.exit(f"The first execution ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    result: dict[str, Any] = json.loads(done.stdout)
    return result


@contextmanager
def _served(project: Path) -> Iterator[str]:
    """The address of the project's simulated model, as a process of its own."""
    ready = SCRATCH / "again_ready"
    ready.unlink(missing_ok=True)
    words = [*FLOWYARD, "simulate", project / "simulation.yaml", "--ready-file", ready]
    server = subprocess.Popen(words, env=own_env(), stdout=subprocess.DEVNULL)
    try:
        while not ready.exists() or not ready.read_text("utf-8"):
            time.sleep(0.02)
            if server.poll() is not None:
                sys.exit(f"The simulated model ended with {server.returncode}")
        yield ready.read_text("utf-8").strip()
    finally:
        server.terminate()
        server.wait()


def _calls(url: str) -> int:
    with urllib.request.urlopen(f"{url}/stats", timeout=10) as response:  # noqa: S310 - our own server
        calls: int = json.load(response)["calls"]
        return calls
