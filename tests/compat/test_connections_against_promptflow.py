"""Strong types give a node what they give it in the real promptflow, and its database can be imported."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from flow_folders import ROOT

from flowyard.engine import prepare
from flowyard.flows.load import load_flow
from flowyard.llm import Connections, ConnectionStore, DeclaredSource
from flowyard.llm.connection import AzureOpenAIConnection, CustomConnection
from flowyard.llm.connection_import import import_connections
from flowyard.records import LineTask

PYTHON = ROOT.parents[1] / ".peer" / "venv" / "bin" / "python"
SCRIPT = Path(__file__).with_name("peer_connections.py")

pytestmark = [
    pytest.mark.peer,
    pytest.mark.skipif(not PYTHON.is_file(), reason="promptflow is not installed; run scripts/peer.sh once"),
]

FLOW = """\
inputs: {x: {type: string}}
outputs: {out: {type: object, reference: "${work.output}"}}
nodes:
- {name: work, type: python, source: {type: code, path: work.py}, inputs: {x: "${inputs.x}", conn: my_tool}}
"""
TOOL = """\
from promptflow.connections import CustomStrongTypeConnection
from promptflow.contracts.types import Secret
from promptflow.core import tool


class MyConnection(CustomStrongTypeConnection):
    token: Secret
    place: str = "nowhere"


@tool
def work(x: str, conn: MyConnection):
    return {
        "type": type(conn).__name__,
        "token": conn.token,
        "place": conn.place,
        "item": conn["token"],
        "configs": dict(conn.configs),
        "secrets": dict(conn.secrets),
        "all": sorted(dict(conn)),
    }
"""
VALUES: list[dict[str, Any]] = [
    {"configs": {"place": "north"}, "secrets": {"token": "t"}},
    {"configs": {"place": "north", "more": "m"}, "secrets": {"token": "t", "other": "o"}},
    {"configs": {"place": "north", "promptflow.connection.custom_type": "MyConnection"}, "secrets": {"token": "t"}},
]


def peer(tmp_path: Path, *args: str | Path) -> None:
    """Run the script in promptflow's environment, with a home of its own."""
    home = tmp_path / "pf_home"
    home.mkdir()
    (home / "pf.yaml").write_text("telemetry:\n  enabled: false\ntrace:\n  destination: none\n", "utf-8")
    environ = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    environ |= {
        "PF_HOME_DIRECTORY": str(home),
        "KEYRING_FILE": str(tmp_path / "keyring.json"),
        "PF_LOGGING_LEVEL": "ERROR",
    }
    command = [str(PYTHON), str(SCRIPT), *map(str, args)]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=180, check=False)
    assert done.returncode == 0, done.stderr[-4000:]


async def test_strong_types(tmp_path: Path) -> None:
    folder = tmp_path / "flow"
    folder.mkdir()
    (folder / "flow.dag.yaml").write_text(FLOW, "utf-8")
    (folder / "work.py").write_text(TOOL, "utf-8")
    (folder / "connections.json").write_text(json.dumps(VALUES), "utf-8")
    peer(tmp_path, "run", folder, tmp_path / "out.json")
    theirs = json.loads((tmp_path / "out.json").read_text("utf-8"))
    assert len(theirs) == len(VALUES)
    for value, wanted in zip(VALUES, theirs, strict=True):
        declared = DeclaredSource([CustomConnection(value["secrets"], value["configs"], name="my_tool")])
        runner = await prepare(load_flow(folder), Connections([declared]), open_provider=_none)
        try:
            line = await runner.run_line(LineTask(0, {"x": "1"}))
        finally:
            await runner.close()
        assert line.outputs.get("out") == wanted


def _none(connection: Any) -> Any:
    raise AssertionError("this flow calls no model")


def test_a_database_that_promptflow_wrote(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    azure = tmp_path / "azure.yaml"
    azure.write_text(
        "name: a\ntype: azure_open_ai\napi_key: azure key\napi_base: https://b\napi_version: '2024-02-01'\n"
    )
    custom = tmp_path / "custom.yaml"
    custom.write_text("name: c\ntype: custom\nconfigs: {place: north}\nsecrets: {token: custom key}\n")
    peer(tmp_path, "store", azure, custom)
    store = ConnectionStore(tmp_path / "connections", {})
    passwords = json.loads((tmp_path / "keyring.json").read_text("utf-8"))
    site = tmp_path / "site"
    site.mkdir()
    lookup = f"def get_password(service, username):\n    return {passwords!r}.get(service + '/' + username)\n"
    (site / "keyring.py").write_text(lookup, "utf-8")
    monkeypatch.syspath_prepend(site)
    monkeypatch.delitem(sys.modules, "keyring", raising=False)
    result = import_connections(tmp_path / "pf_home" / "pf.sqlite", store)
    assert (result.imported, result.commands, result.warnings) == (("a", "c"), (), ())
    assert store.find("a") == AzureOpenAIConnection("https://b", "azure key", name="a")
    assert store.find("c") == CustomConnection({"token": "custom key"}, {"place": "north"}, name="c")
