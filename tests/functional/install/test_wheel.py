"""The wheel that people install: what is in it, and that it works in an environment with nothing else."""

import json
import os
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest
from places import ROOT

FLOW = """\
inputs:
  x:
    type: int
outputs:
  doubled:
    type: int
    reference: ${double.output}
nodes:
- name: double
  type: python
  source:
    type: code
    path: double.py
  inputs:
    x: ${inputs.x}
"""

TOOL = """\
from promptflow.core import tool


@tool
def double(x: int) -> int:
    return 2 * x
"""


def run(*command: str | Path, cwd: Path | None = None) -> str:
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, ROOT)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clean environment with the locked dependencies and the wheel."""
    folder = tmp_path_factory.mktemp("clean environment")
    venv.create(folder, with_pip=False)
    python = folder / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--disable-pip-version-check"]
    pip += ["--no-compile"]  # little of it is imported here
    run(*pip, "--require-hashes", "-r", ROOT / "requirements" / "core.lock")
    run(*pip, "--no-deps", wheel)
    return python


def test_it_holds_the_types_and_the_template_and_no_promptflow(wheel: Path):
    names = zipfile.ZipFile(wheel).namelist()
    assert "flowyard/py.typed" in names
    assert "flowyard/reports/templates/report.html.j2" in names
    assert {name.partition("/")[0] for name in names if ".dist-info/" not in name} == {"flowyard"}


def test_both_entrances_say_the_version(wheel: Path, python: Path, tmp_path: Path):
    version = wheel.name.split("-")[1]
    assert version in run(python.parent / "flowyard", "--version", cwd=tmp_path)
    assert version in run(python, "-m", "flowyard", "--version", cwd=tmp_path)


def test_it_runs_a_flow(python: Path, tmp_path: Path):
    (tmp_path / "flow.dag.yaml").write_text(FLOW)
    (tmp_path / "double.py").write_text(TOOL)
    command = ["flow", "test", "--flow", tmp_path, "--inputs", "x=1", "--json"]
    printed = json.loads(run(python.parent / "flowyard", *command, cwd=tmp_path))
    assert printed.get("outputs", printed) == {"doubled": 2}
