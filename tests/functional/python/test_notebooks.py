"""The example notebooks do what they say, in a kernel of this Python, without a network."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from functional_helper import EXAMPLE, clean_environment
from places import HELPERS

NOTEBOOKS = EXAMPLE.parent / "notebooks"
EXECUTE = HELPERS / "execute_notebook.py"


@pytest.fixture
def examples(tmp_path: Path) -> Path:
    ignored = shutil.ignore_patterns(".flowyard", "__pycache__", ".ipynb_checkpoints")
    for folder in (EXAMPLE, NOTEBOOKS):
        shutil.copytree(folder, tmp_path / folder.name, ignore=ignored)
    return tmp_path


def executed(examples: Path, name: str) -> dict[str, Any]:
    """What each code cell gave, by the text of the cell: its plain text, or what it printed; and its HTML."""
    own = {variable: str(examples / variable.lower()) for variable in ("IPYTHONDIR", "JUPYTER_CONFIG_DIR")}
    own |= {"JUPYTER_DATA_DIR": str(examples / "data"), "JUPYTER_RUNTIME_DIR": str(examples / "runtime")}
    environment = clean_environment({"FLOWYARD_HOME": str(examples / "home"), **own})
    out = examples / "out.ipynb"
    words = [sys.executable, str(EXECUTE), str(examples / "notebooks" / name), str(out)]
    done = subprocess.run(words, capture_output=True, text=True, check=False, env=environment, timeout=180)
    assert done.returncode == 0, done.stderr[-4000:]
    cells = [cell for cell in json.loads(out.read_text("utf-8"))["cells"] if cell["cell_type"] == "code"]
    return {"".join(cell["source"]): cell["outputs"] for cell in cells}


def said(outputs: dict[str, Any], start: str) -> str:
    """The text of the cell that begins so, or ends so."""
    found = next(given for source, given in outputs.items() if source.startswith(start) or source.endswith(start))
    return "".join("".join(each.get("text", "") or each.get("data", {}).get("text/plain", "")) for each in found)


@pytest.mark.parametrize("name", ["experiment.ipynb", "flow_as_function.ipynb"])
def test_notebooks_are_kept_without_outputs(name: str) -> None:
    notebook = json.loads((NOTEBOOKS / name).read_text("utf-8"))
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert code
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code)


def test_the_notebook_of_an_experiment(examples: Path) -> None:
    outputs = executed(examples, "experiment.ipynb")
    assert "4 runs, about 322 model calls" in said(outputs, "experiment.plan()")
    assert "classify=few_shot" in said(outputs, "result = experiment.run")
    assert "0.8" in said(outputs, "metrics =")
    assert "McNemar" in said(outputs, "differences =")
    failed = said(outputs, "failed =")
    assert failed.count("classify=zero_shot") == 2
    assert "('parse', 'failed')" in said(outputs, "short =")
    assert said(outputs, "best =") == "{'classify': 'few_shot'}"
    decided = said(outputs, "result.verdict,")
    assert decided.startswith("('pass'")
    assert decided.count("'pass')") == 6
    assert said(outputs, "result.report.name") == "'report.html'"
    shown = [each.get("data", {}) for given in outputs.values() for each in given]
    assert sum("text/html" in data for data in shown) >= 6


def test_the_notebook_of_a_flow_as_a_function(examples: Path) -> None:
    outputs = executed(examples, "flow_as_function.ipynb")
    assert "classify=few_shot" in said(outputs, "import flowyard\n\ntriage")
    assert "'category': 'shipping'" in said(outputs, 'triage(subject="Where')
    assert said(outputs, 'answer["category"]') == "'cancellation'"
    assert said(outputs, "line =") == "('completed', ['clean', 'classify', 'parse', 'route'], True)"
    assert "Required inputs are missing: 'text'." in said(outputs, "from flowyard.errors")
    assert "24 of 24 completed" in said(outputs, "run =")
    assert "(3, 4)" in said(outputs, "details =")
    assert said(outputs, "{name: round") == "{'exact.exact_match': 0.917, 'own.same_initial': 0.917}"
