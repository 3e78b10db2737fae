"""The flow folders give in the real promptflow what they give here, except where a folder says why not."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from flow_folders import FOLDERS, MODEL_FOLDERS, ROOT, Expected, read_expected, without_unset
from model_server import model_server, requests_alike

PEER = ROOT.parents[1] / ".peer"
PYTHON = PEER / "venv" / "bin" / "python"

pytestmark = [
    pytest.mark.peer,
    pytest.mark.skipif(not PYTHON.is_file(), reason="promptflow is not installed; run scripts/peer.sh once"),
]


@pytest.fixture(scope="module")
def peer(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What promptflow made of a copy of every folder, in one process with a home of its own, and what it asked."""
    scratch = tmp_path_factory.mktemp("peer")
    shutil.copytree(ROOT, scratch / "flows", ignore=shutil.ignore_patterns("__pycache__", ".promptflow"))
    (scratch / "home").mkdir()
    (scratch / "home" / "pf.yaml").write_text("telemetry:\n  enabled: false\ntrace:\n  destination: none\n", "utf-8")
    environ = {
        **{name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")},
        "PF_HOME_DIRECTORY": str(scratch / "home"),
        "PF_LOGGING_LEVEL": "ERROR",
        "PF_WORKER_COUNT": "1",
    }
    script = Path(__file__).with_name("peer_flows.py")
    with model_server(MODEL_FOLDERS) as models:
        variables = json.dumps({folder.name: models.environment(folder.name) for folder in MODEL_FOLDERS})
        done = subprocess.run(
            [PYTHON, script, scratch / "flows", scratch / "out.json", variables],
            env=environ,
            capture_output=True,
            text=True,
            timeout=400,
            check=False,
        )
    assert done.returncode == 0, done.stderr[-4000:]
    found: dict[str, Any] = json.loads((scratch / "out.json").read_text("utf-8"))
    for name, requests in models.asked.items():
        found[name]["requests"] = requests
    return found


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
    if asked != expected.raw.get("requests", []):
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
