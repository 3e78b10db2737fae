"""User code imports promptflow's names, whether or not a real promptflow is installed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

FLOW = """\
inputs: {x: {type: string}}
outputs: {y: {type: string, reference: "${work.output}"}}
nodes:
- {name: work, type: python, source: {type: code, path: work.py}, inputs: {x: "${inputs.x}"}}
"""


def run_flow(folder: Path, code: str, **environ: str) -> subprocess.CompletedProcess[str]:
    (folder / "flow.dag.yaml").write_text(FLOW, "utf-8")
    (folder / "work.py").write_text(code, "utf-8")
    command = [sys.executable, "-m", "flowyard", "flow", "test", "--flow", str(folder), "--inputs", "x=1", "--json"]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=folder, env={**os.environ, **environ}, timeout=60
    )


@pytest.mark.parametrize(
    "line",
    [
        "from promptflow.core import tool",
        "from promptflow import tool",
        "from promptflow import tool, log_metric",
        "from promptflow._internal import tool",
        "from promptflow.core import tool, log_metric, ToolProvider",
        "import promptflow.core\ntool = promptflow.core.tool",
        "import promptflow\ntool = promptflow.tool",
        "from promptflow.core import tool\nfrom promptflow.tracing import trace, start_trace",
        "from promptflow.core import tool\nfrom promptflow.connections import AzureOpenAIConnection, CustomConnection",
        "from promptflow.core import tool\nfrom promptflow.entities import OpenAIConnection",
        "from promptflow.core import tool\nfrom promptflow.contracts.types import Secret, PromptTemplate, FilePath",
    ],
)
def test_the_names_that_flows_import(tmp_path: Path, line: str) -> None:
    done = run_flow(tmp_path, f"{line}\n\n@tool\ndef work(x: str):\n    return x + '!'\n")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"y": "1!"}


def test_an_installed_promptflow_is_not_touched(tmp_path: Path) -> None:
    installed = tmp_path / "site" / "promptflow"
    installed.mkdir(parents=True)
    (installed / "__init__.py").write_text("raise RuntimeError('the installed package was imported')\n", "utf-8")
    flow = tmp_path / "flow"
    flow.mkdir()
    code = "from promptflow.core import tool\n\n@tool\ndef work(x: str):\n    return x\n"
    done = run_flow(flow, code, PYTHONPATH=str(installed.parent))
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ("from promptflow.core import Nonsense", "promptflow.core.Nonsense"),
        ("from promptflow.nonsense import x", "promptflow.nonsense"),
    ],
)
def test_a_name_that_is_not_covered_is_said(tmp_path: Path, line: str, named: str) -> None:
    done = run_flow(tmp_path, f"{line}\nfrom promptflow.core import tool\n\n@tool\ndef work(x: str):\n    return x\n")
    assert done.returncode == 2
    assert named in done.stderr
    assert "work.py" in done.stderr
