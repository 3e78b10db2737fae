"""Fixtures of the tests that run the command line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from functional_helper import RULES, Project, ending, start_flowyard, wait_for_text


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """An empty project; its home does not exist until something is written there."""
    root = tmp_path / "project"
    root.mkdir()
    return Project(root, tmp_path / "home")


@pytest.fixture(scope="module")
def simulated_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a running ``flowyard simulate`` with RULES."""
    folder = tmp_path_factory.mktemp("simulate")
    rules, ready = folder / "rules.yaml", folder / "ready"
    rules.write_text(RULES)
    with ending(start_flowyard("simulate", rules, "--ready-file", ready, cwd=folder)):
        yield wait_for_text(ready)
