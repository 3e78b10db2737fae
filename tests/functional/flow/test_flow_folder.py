"""``flow build --format wheel``: a folder that serves a flow where there is no container engine."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from environments_helper import make_wheel, wheels_of_own_packages
from functional_helper import Project, clean_environment, ending, one_node_flow, wait_for_text
from image_helper import free_port, score
from package_index import PASSWORD, package_index

TOOL = """\
import os

import tinylib
from promptflow.core import tool


@tool
def work(x: str):
    return f"{x} {tinylib.version} {os.environ['GREETING']} {os.environ['OTHER']}"
"""


@pytest.mark.skipif(sys.platform == "win32", reason="the script is for sh")
def test_the_folder_installs_itself_and_serves(project: Project, tmp_path: Path):
    index = tmp_path / "index"
    wheels_of_own_packages(index)
    make_wheel(index, "tinylib", "1.2")
    flow = project.flow("shop", one_node_flow({"x": "string"}), work_py=TOOL, requirements_txt="promptflow\ntinylib\n")
    (project.root / "tinylib.py").write_text("version = 'of this machine'\n")
    with package_index(index) as pip:
        env = {**pip, "PYTHONPATH": os.pathsep.join([os.environ.get("PYTHONPATH", ""), str(project.root)])}
        said = project.run("flow", "build", "--source", flow, "--format", "wheel", "--output", "out", env=env)
        assert "Next: out/start" in said.stdout
        out = project.root / "out"
        lines = (out / "requirements.txt").read_text()
        assert "tinylib==1.2" in lines
        assert lines.count("--hash=sha256:") == len([line for line in lines.splitlines() if line[0] not in "# "])
        assert not [each for each in out.rglob("*") if each.is_file() and PASSWORD.encode() in each.read_bytes()]

        (out / "settings.env").write_text(
            'FLOWYARD_SERVE_KEY=\nGREETING=a "$(word)" \' =\n# OTHER=not\nOTHER=not this\n'
        )
        port, ready = free_port(), project.root / "ready"
        environ = {**clean_environment(), **pip, "OTHER": "this", "PYTHON": sys.executable}
        environ.pop("PYTHONPATH", None)
        words = [str(out / "start"), "--port", str(port), "--ready-file", str(ready)]
        process = subprocess.Popen(words, env=environ, cwd=tmp_path, stdout=subprocess.DEVNULL, text=True)
        with ending(process):
            wait_for_text(ready, 240)
            assert score(port, "tea", key=None) == (200, {"out": 'tea 1.2 a "$(word)" \' = this'})
        assert "flowyard" in (out / ".venv" / "installed.txt").read_text()
