"""Folders of runs go both ways: the real promptflow reads what is exported, and what it wrote is registered."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from flow_folders import ROOT
from test_flow_folders import Quiet, no_provider

from flowyard.llm.connections import Connections
from flowyard.runs import RunRequest, execute_run
from flowyard.runs.details import details_rows
from flowyard.runs.export import export_run
from flowyard.runs.register import register_run
from flowyard.runs.run import RunParts
from flowyard.store import SqlStore

PYTHON = ROOT.parents[1] / ".peer" / "venv" / "bin" / "python"
FLOW = """\
inputs: {x: {type: int}, k: {type: string, default: own}}
outputs: {y: {type: object, reference: "${work.output}"}}
nodes:
- {name: work, type: python, source: {type: code, path: work.py}, inputs: {x: "${inputs.x}"}}
- name: count
  type: python
  source: {type: code, path: count.py}
  inputs: {ys: "${work.output}"}
  aggregation: true
"""
WORK = """\
from promptflow.core import tool


@tool
def work(x: int):
    if x == 1:
        raise ValueError("one")
    return {"v": x}
"""
COUNT = """\
from promptflow.core import log_metric, tool


@tool
def count(ys: list):
    log_metric("lines", len(ys))
"""

pytestmark = [
    pytest.mark.peer,
    pytest.mark.skipif(not PYTHON.is_file(), reason="promptflow is not installed; run scripts/peer.sh once"),
]


async def test_runs_are_the_same_wherever_they_were_made(tmp_path: Path) -> None:
    flow = tmp_path / "flow"
    flow.mkdir()
    for name, text in (("flow.dag.yaml", FLOW), ("work.py", WORK), ("count.py", COUNT)):
        (flow / name).write_text(text, "utf-8")
    data = tmp_path / "data.jsonl"
    data.write_text("".join(json.dumps({"x": x}) + "\n" for x in range(3)), "utf-8")
    store = SqlStore(tmp_path / "home")
    ours = await execute_run(
        RunRequest(flow, data, name="ours"), RunParts(Connections([]), no_provider, store, Quiet())
    )
    theirs = ask_peer(tmp_path, flow, data, export_run(ours, tmp_path / "exported"))

    registered = register_run(Path(theirs["made"]["folder"]), store, name="theirs")
    wanted = by_name(details_rows(ours))
    assert by_name(details_rows(registered)) == wanted
    for side in ("made", "registered"):
        assert by_name(theirs[side]["details"]) == wanted
        assert theirs[side]["metrics"] == dict(ours.metrics) == dict(registered.metrics)
        assert theirs[side]["status"].lower() == ours.status == registered.status
    assert (registered.lines, registered.data) == (ours.lines, None)


def ask_peer(scratch: Path, flow: Path, data: Path, folder: Path) -> Any:
    (scratch / "pf").mkdir()
    (scratch / "pf" / "pf.yaml").write_text("telemetry:\n  enabled: false\ntrace:\n  destination: none\n", "utf-8")
    environ = {
        **{name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")},
        "PF_HOME_DIRECTORY": str(scratch / "pf"),
        "PF_WORKER_COUNT": "1",
    }
    command = [PYTHON, Path(__file__).with_name("peer_runs.py"), flow, data, folder, scratch / "out.json"]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=180, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    return json.loads((scratch / "out.json").read_text("utf-8"))


def by_name(rows: list[dict[str, Any]]) -> list[list[tuple[str, Any]]]:
    """The rows without the order of their columns, in which the two differ."""
    return [sorted(row.items()) for row in rows]
