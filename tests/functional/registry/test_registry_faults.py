"""The registry under faults: kills and full disks at every place, and storage that does not answer."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from functional_helper import flowyard
from places import HELPERS


@pytest.mark.skipif(not hasattr(os, "fork"), reason="each attempt is a forked process")
@pytest.mark.parametrize(("scenario", "least"), [("first", 20), ("second", 12)])
def test_a_fault_at_every_place(scenario: str, least: int):
    words = [sys.executable, str(HELPERS / "registry_fault_points.py"), scenario]
    with TemporaryDirectory(dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None) as memory:
        done = subprocess.run([*words, memory], capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    attempts = json.loads(done.stdout)
    assert len({(each["at"], each["kind"]) for each in attempts}) >= 3 * least
    assert {"fsync", "replace", "open", "write", "sql", "link", "rename"} <= {
        each["place"].split()[0] for each in attempts
    }
    well = {"fail": (0, 5)}
    bad = [each for each in attempts if each["after"] != 0 or each["ended"] not in well.get(each["kind"], (-9,))]
    assert bad == [], done.stderr


STORAGE = {
    "file:///proc/none": ("file:///proc/none cannot be reached", 5),
    "nonsense://bucket/x": ("cannot be kept at nonsense://bucket/x", 2),
    "s3://key:geheim@bucket/x": ("may hold a secret", 2),
}


@pytest.mark.parametrize("url", STORAGE)
def test_storage_that_does_not_answer_gives_no_version(tmp_path: Path, url: str):
    (tmp_path / "data.csv").write_text("a,b\n")
    env = {"FLOWYARD_HOME": str(tmp_path / "home"), "FLOWYARD_REGISTRY_FILES": url}
    words = ("dataset", "register", "data.csv", "--name", "x")
    refused = flowyard(*words, cwd=tmp_path, env=env)
    said, code = STORAGE[url]
    assert refused.returncode == code
    assert said in refused.stderr
    assert "geheim" not in refused.stderr
    listed = flowyard("dataset", "list", "--json", cwd=tmp_path, env={"FLOWYARD_HOME": str(tmp_path / "home")})
    assert json.loads(listed.stdout) == []


def test_what_the_settings_name(tmp_path: Path):
    (tmp_path / "data.csv").write_text("a,b\n")
    home = {"FLOWYARD_HOME": str(tmp_path / "home")}
    for url in ("ftp://h/d", "mlflow+https://u:geheim@h/d"):
        said = flowyard("config", "set", f"registry.url={url}", cwd=tmp_path, env=home)
        assert (said.returncode, "geheim" in said.stderr) == (2, False)
    assert flowyard("config", "set", "registry.files=files", cwd=tmp_path, env=home).returncode == 0
    made = flowyard("dataset", "register", "data.csv", "--name", "x", "--json", cwd=tmp_path, env=home)
    assert Path(json.loads(made.stdout)["path"]).read_text() == "a,b\n"
    assert len(list((tmp_path / "files" / "blobs").iterdir())) == 1
    refused = flowyard("dataset", "list", cwd=tmp_path, env={**home, "FLOWYARD_REGISTRY": "ftp://u:geheim@h/d"})
    assert (refused.returncode, "geheim" in refused.stderr) == (2, False)
    assert "mlflow+https://HOST" in refused.stderr
