"""Evaluations come out as in the real promptflow-evals, except where it is said why not."""

from __future__ import annotations

import json
import math
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from model_server import model_server

PEER = Path(__file__).resolve().parents[2] / ".peer"
PYTHON = PEER / "venv" / "bin" / "python"
SCRIPT = Path(__file__).with_name("evaluations.py")
NAMES = re.findall(r'^    "([^"]+)": ', SCRIPT.read_text("utf-8").split("CASES = {")[1].split("\n}\n")[0], re.MULTILINE)
RULES = """\
rules:
- when: {user: unsayable}
  reply: "?"
- when: {system: '.'}
  reply: "4"
"""
DIFFERENT_ON_PURPOSE = {
    "one column for two inputs": "promptflow-evals renames the column, so the other input finds it no more",
    "chat, one grade after the other": "promptflow-evals forgets to await its judges, and raises TypeError",
}

pytestmark = [
    pytest.mark.peer,
    pytest.mark.skipif(
        not list(PEER.glob("venv/lib/*/site-packages/promptflow/evals")),
        reason="promptflow-evals is not installed; run scripts/peer.sh once",
    ),
]


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """What both sides make of every case, each in one process with a home of its own."""
    folder = tmp_path_factory.mktemp("judge")
    (folder / "rules.yaml").write_text(RULES, "utf-8")
    with model_server([folder]) as models:
        url = f"{models.url}/{folder.name}"
        theirs = carried_out([str(PYTHON)], [], tmp_path_factory.mktemp("theirs"), url)
        ours = carried_out([sys.executable], ["flowyard"], tmp_path_factory.mktemp("ours"), url)
    return {"theirs": theirs, "ours": ours}


def carried_out(python: list[str], options: list[str], folder: Path, url: str) -> dict[str, Any]:
    lists = folder / "nltk" / "misc" / "perluniprops"  # promptflow-evals cannot be imported without these
    lists.mkdir(parents=True)
    for name in ("Number", "Punctuation", "Symbol"):
        (lists / f"{name}.txt").write_text("+\n", "utf-8")
    (folder / "home").mkdir()
    (folder / "home" / "pf.yaml").write_text("telemetry:\n  enabled: false\n", "utf-8")
    others = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    environ = {
        **others,
        "MODEL_URL": url,
        "NLTK_DATA": str(folder / "nltk"),
        "PF_HOME_DIRECTORY": str(folder / "home"),
        "PF_LOGGING_LEVEL": "ERROR",
        "PF_TRACING_SKIP_LOCAL_SETUP": "true",  # a trace destination of none would be looked up in Azure
        "PF_WORKER_COUNT": "1",
        "FLOWYARD_HOME": str(folder / "runs"),
    }
    command = [*python, str(SCRIPT), str(folder / "out.json"), *options]
    done = subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    result: dict[str, Any] = json.loads((folder / "out.json").read_text("utf-8"))
    return result


@pytest.mark.parametrize("name", NAMES)
def test_same_as_promptflow(name: str, found: Mapping[str, Mapping[str, Any]]) -> None:
    theirs, ours = found["theirs"][name], found["ours"][name]
    assert "raised" not in ours, ours
    same = alike(theirs) == alike(ours)
    if name in DIFFERENT_ON_PURPOSE:
        assert not same, "It is the same now: take it off the list."
    else:
        assert alike(ours) == alike(theirs)


def alike(value: Any) -> Any:
    """A value in which the order of keys does not count, NaN is itself, and None is a missing value too."""
    if isinstance(value, dict):
        return {key: alike(each) for key, each in value.items()}
    if isinstance(value, list):
        return [alike(each) for each in value]
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "missing"
    return pytest.approx(value) if isinstance(value, float) and not isinstance(value, bool) else value
