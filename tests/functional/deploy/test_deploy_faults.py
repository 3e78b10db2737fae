"""A deployer that is killed anywhere: what served serves on, and the same command comes to the same."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from deploy_helper import asked_all_the_time
from places import HELPERS

ATTEMPTS = 4
"""How many kills are tried here; more of them: ``python deploy_fault_points.py FOLDER 60``."""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="each attempt is a forked process")
def test_a_kill_at_every_step(tmp_path: Path):
    words = [sys.executable, str(HELPERS / "deploy_fault_points.py"), str(tmp_path), str(ATTEMPTS)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        address = process.stdout.readline().strip()
        assert address.startswith("http://127.0.0.1:")
        with asked_all_the_time(address) as answers:
            found = json.loads(process.stdout.readline())
        assert process.wait(timeout=120) == 0
    bad = [each for each in found if (each["ended"], each["sum"], each["again"], each["right"]) != (-9, 100, 0, True)]
    assert bad == []
    assert len({each["place"] for each in found}) > 1
    assert set(answers) == {"one tea", "two tea"}
