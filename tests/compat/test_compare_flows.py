"""``scripts/compare_flows.py`` gives both sides the same and tells equal outcomes from others."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from flow_folders import ROOT

PROJECT = ROOT.parents[1]
PYTHON = PROJECT / ".peer" / "venv" / "bin" / "python"

pytestmark = [
    pytest.mark.peer,
    pytest.mark.skipif(not PYTHON.is_file(), reason="promptflow is not installed; run scripts/peer.sh once"),
]

ASKS = """
inputs: {topic: {type: string}}
outputs: {answer: {type: string, reference: "${ask.output}"}}
nodes:
  - name: ask
    type: llm
    source: {type: code, path: ask.jinja2}
    connection: some_connection
    api: chat
    inputs: {deployment_name: m, topic: "${inputs.topic}"}
"""
IMPORTS = """
inputs: {}
outputs: {answer: {type: string, reference: "${look.output}"}}
nodes:
  - {name: look, type: python, source: {type: code, path: look.py}, inputs: {}}
"""


def test_verdicts(tmp_path: Path) -> None:
    found = tmp_path / "found"
    for name in ("node_fails", "order_from_references"):
        shutil.copytree(ROOT / name, found / name)
    for name, files in {
        "asks": {"flow.dag.yaml": ASKS, "ask.jinja2": "user:\nTell me about {{topic}}.\n"},
        "imports": {"flow.dag.yaml": IMPORTS, "look.py": "import no_such_package\n"},
    }.items():
        (found / name).mkdir()
        for file, text in files.items():
            (found / name / file).write_text(text, "utf-8")
    script = PROJECT / "scripts" / "compare_flows.py"
    done = subprocess.run(
        [sys.executable, script, found, "--peer", PYTHON, "--json", tmp_path / "out.json"],
        env={**os.environ, "PYTHONPATH": str(PROJECT / "src")},
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    records = json.loads((tmp_path / "out.json").read_text("utf-8"))
    verdicts = {record["flow"].split("/")[1]: record["verdict"]["word"] for record in records}
    assert verdicts == {
        "asks": "equal",
        "imports": "offline",
        "node_fails": "both fail",
        "order_from_references": "equal",
    }
    (asked,) = [record for record in records if record["flow"] == "found/asks/flow.dag.yaml"]
    assert asked["own"]["outputs"] == {"answer": "m was asked: Tell me about a short topic."}
    assert not list(found.rglob(".promptflow")), "flows run in a copy"
