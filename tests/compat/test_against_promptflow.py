"""The flow folders give in the real promptflow what they give here, except where a folder says why not."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from flow_folders import FOLDERS, MODEL_FOLDERS, ROOT, Expected, read_expected, without_unset
from model_server import model_server, requests_alike

PEER = ROOT.parents[1] / ".peer"
PYTHON = PEER / "venv" / "bin" / "python"
SHARDS = min(4, os.cpu_count() or 1)
"""How many processes of promptflow run at once: it needs seconds for each run over data."""
SILENCE_S = 90
"""How long one folder may take."""

pytestmark = [
    pytest.mark.peer,
    pytest.mark.skipif(not PYTHON.is_file(), reason="promptflow is not installed; run scripts/peer.sh once"),
]


@pytest.fixture(scope="module")
def peer(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What promptflow made of a copy of each folder to be tested, and what it asked of the model."""
    scratch = tmp_path_factory.mktemp("peer")
    shutil.copytree(ROOT, scratch / "flows", ignore=shutil.ignore_patterns("__pycache__", ".promptflow"))
    chosen = [
        folder.name for folder in FOLDERS if any(f"[{folder.name}]" in item.name for item in request.session.items)
    ]
    found: dict[str, Any] = {}
    with model_server(MODEL_FOLDERS) as models:
        variables = json.dumps({folder.name: models.environment(folder.name) for folder in MODEL_FOLDERS})
        with ThreadPoolExecutor(SHARDS) as pool:
            for part in pool.map(
                lambda shard: run_shard(scratch, variables, shard, chosen[shard::SHARDS]), range(SHARDS)
            ):
                found |= part
    for name in found.keys() & models.asked.keys():
        found[name]["requests"] = models.asked[name]
    return found


def run_shard(scratch: Path, variables: str, shard: int, names: list[str]) -> dict[str, Any]:
    """Some of the folders in one process of promptflow with a home of its own.

    On a busy machine its runs over data hang now and then; then the process is ended and what is left is tried again.
    """
    home = scratch / f"home{shard}"
    home.mkdir()
    (home / "pf.yaml").write_text("telemetry:\n  enabled: false\ntrace:\n  destination: none\n", "utf-8")
    environ = {
        **{name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")},
        "PF_HOME_DIRECTORY": str(home),
        "PF_LOGGING_LEVEL": "ERROR",
        "PF_WORKER_COUNT": "1",
    }
    found: dict[str, Any] = {}
    for attempt in range(4):
        left = [name for name in names if name not in found]
        out = scratch / f"out{shard}-{attempt}.jsonl"
        words = [str(PYTHON), str(Path(__file__).with_name("peer_flows.py"))]
        words += [str(scratch / "flows"), str(out), variables, json.dumps(left)]
        said = run_until_silent(words, environ, out) if left else ""
        lines = out.read_text("utf-8").splitlines() if out.is_file() else []
        found |= dict(json.loads(line) for line in lines)
    assert found.keys() == set(names), said[-4000:]
    return found


def run_until_silent(words: list[str], environ: Mapping[str, str], out: Path) -> str:
    """Run a command to its end, or kill it with its children when ``out`` did not grow for a while; what it said."""
    log = out.with_suffix(".log")
    with log.open("w") as file:
        process = subprocess.Popen(words, env=environ, stdout=file, stderr=file, start_new_session=True)
        grown, size = time.monotonic(), -1
        while process.poll() is None:
            now_size = out.stat().st_size if out.is_file() else 0
            if now_size != size:
                grown, size = time.monotonic(), now_size
            if time.monotonic() - grown > SILENCE_S:
                os.killpg(process.pid, signal.SIGKILL)
            time.sleep(0.2)
    return log.read_text("utf-8", "replace")


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_same_as_promptflow(folder: Path, peer: dict[str, Any]) -> None:
    expected = read_expected(folder)
    differences = compare(expected, peer[folder.name])
    if expected.different_on_purpose:
        assert differences, "promptflow does the same by now, so 'different_on_purpose' can go"
    else:
        assert differences == []


def compare(expected: Expected, got: dict[str, Any]) -> list[str]:
    """Each difference between what is expected of us and what promptflow did."""
    asked = requests_alike(got.get("requests", []))
    if asked != requests_alike(expected.raw.get("requests", [])):
        return [f"promptflow asks the model {asked}", *compare_outcome(expected, got)]
    return compare_outcome(expected, got)


def compare_outcome(expected: Expected, got: dict[str, Any]) -> list[str]:
    if "load_error" in expected.raw:
        refused = "load_error" in got or all("error" in case for case in got["cases"])
        return [] if refused else [f"promptflow runs it: {got}"]
    if "load_error" in got:
        return [f"promptflow does not load it: {got['load_error']}"]
    if "data" in expected.raw:
        parts: dict[str, Any] = {"lines": {}, "failed": {}, "metrics": {}, "aggregation_errors": []}
        return [
            f"{part}: {got[part]} instead of {expected.raw.get(part, none)}"
            for part, none in parts.items()
            if got[part] != expected.raw.get(part, none)
        ]
    wanted = [
        {"outputs": case.outputs} if case.error is None else {"failed": [case.error["node"]]} for case in expected.cases
    ]
    return [
        f"{other} instead of {own}"
        for own, other in zip(wanted, map(outcome, got["cases"]), strict=True)
        if own != other
    ]


def outcome(case: dict[str, Any]) -> dict[str, Any]:
    return {"outputs": without_unset(case["outputs"])} if "outputs" in case else {"failed": case["nodes"] or [None]}
