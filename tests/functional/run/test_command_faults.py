"""Commands that are killed at any of the places where they change something: given again, they come to the same."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from places import HELPERS

OPERATIONS = {"open", "write", "fsync", "replace", "unlink", "mkdir", "link", "rename"}
SQL = {"sql BEGIN IMMEDIATE", "sql COMMIT"}
EVERY = 10**9
MOST = {
    "file": EVERY,
    "unchanged": EVERY,
    "alias": EVERY,
    "request": 24,
    "approve": 24,
    "connection": 24,
    "folder": 20,
    "flow": 12,
    "run": 3,
    "release": 4,
}
"""How many of the kills are tried here; all of them: ``python command_fault_points.py SCENARIO FOLDER``."""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="each attempt is a forked process")
@pytest.mark.parametrize("scenario", MOST)
def test_a_kill_at_every_place(scenario: str):
    attempts = tried(scenario, MOST[scenario])
    places = {each["place"] for each in attempts}
    print(f"{scenario}: {len(attempts)} kills at {len(places)} places")
    bad = [each for each in attempts if each["after"] != 0 or not ended_well(each)]
    assert bad == []
    if scenario == "unchanged":
        assert attempts == [], "what is registered already writes nothing"
    elif MOST[scenario] < EVERY:
        assert len(attempts) >= MOST[scenario] // 2
    else:
        assert len(attempts) >= 8
        assert places >= SQL
    if scenario == "file":
        assert len(attempts) >= 30
        assert {place.split()[0] for place in places} >= OPERATIONS


def ended_well(attempt: dict[str, Any]) -> bool:
    """Killed, or with an error for people after a full disk; what is not needed may be missing."""
    return attempt["ended"] in ((0, 4, 5) if attempt["kind"] == "fail" else (-9,))


def tried(scenario: str, most: int) -> list[dict[str, Any]]:
    """The attempts, in memory where there is some, because its fsync takes no time."""
    words = [sys.executable, str(HELPERS / "command_fault_points.py"), scenario]
    with TemporaryDirectory(dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None) as folder:
        done = subprocess.run([*words, folder, str(most)], capture_output=True, text=True, check=False, timeout=300)
    print(done.stderr)
    assert done.returncode == 0, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found
