"""What is installed, run and shipped is what was looked at: locks with hashes, actions by commit, images by digest.

An image's recipe (its user, hashes, no tools in its last stage) is looked at in test_image_files.py; what it has
inside, its list of parts and its digest in test_image.py and test_image_buildah.py with real engines; that a deployment
takes no other image than that digest in test_deploy_attacks.py; that tests fetch nothing in test_without_network.py.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from functional_helper import flowyard_here
from places import ROOT
from workflow_files import zizmor_findings

from flowyard.pipelines.generate.github.actions import locked_actions

LOCKS = sorted((ROOT / "requirements").glob("*.lock"))
USES = re.compile(r"^\s*(?:- )?uses:\s*(\S+)[ \t]*(?:#\s*(\S+))?", re.MULTILINE)
PINNED = re.compile(r"[a-zA-Z0-9][-.\w]*(?:\[[\w,-]+\])?==[^\s;]+(?: ?;[^\\]+)?(?: --hash=sha256:[0-9a-f]{64})+")


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_every_requirement_of_a_lock_has_its_version_and_hashes(lock: Path):
    text = re.sub(r"\s*\\\n\s*", " ", lock.read_text("utf-8"))
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    assert len(lines) > 1
    assert [line for line in lines if not PINNED.fullmatch(line.partition(" #")[0].strip())] == []


def test_what_is_built_and_tested_is_installed_by_hashes():
    text = (ROOT / "scripts" / "venv.sh").read_text("utf-8")
    installs = [line for line in text.splitlines() if line.startswith("scripts/install.sh ")]
    assert len(installs) == 2
    assert [line for line in installs if "--require-hashes" not in line and "--no-deps" not in line] == []


def test_our_own_actions_are_pinned_by_commit(tmp_path: Path):
    assert flowyard_here("pipeline", "generate", "github", cwd=tmp_path).returncode == 0
    known = {f"{each.reference}" for each in locked_actions().values()}
    files = [
        *(ROOT / ".github").rglob("*.yml"),
        *(ROOT / "ci").rglob("*.yml"),
        *(tmp_path / ".github" / "workflows").glob("*.yml"),
    ]
    found = [(file.name, uses, version) for file in files for uses, version in USES.findall(file.read_text("utf-8"))]
    others = [each for each in found if not each[1].startswith("./")]
    assert len(others) > 10
    for name, uses, version in others:
        assert uses in known, f"{name}: {uses}"
        assert version.startswith("v"), f"{name}: which version {uses} is"
    assert zizmor_findings(ROOT / ".github") == []
