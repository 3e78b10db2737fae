"""Fixtures of the tests that run the command line."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from functional_helper import RULES, Project, ending, start_flowyard


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """An empty project; its home does not exist until something is written there."""
    root = tmp_path / "project"
    root.mkdir()
    return Project(root, tmp_path / "home")


def wait_for_text(file: Path, seconds: float = 15) -> str:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if file.exists() and file.read_text():
            return file.read_text().strip()
        time.sleep(0.02)
    raise AssertionError(f"{file.name} was not written within {seconds} s")


@pytest.fixture(scope="module")
def simulated_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a running ``flowyard simulate`` with RULES."""
    folder = tmp_path_factory.mktemp("simulate")
    rules, ready = folder / "rules.yaml", folder / "ready"
    rules.write_text(RULES)
    with ending(start_flowyard("simulate", rules, "--ready-file", ready, cwd=folder)):
        yield wait_for_text(ready)
