"""The contract over processes of this machine."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from target_contract import TargetContract

from flowyard.abc import Target
from flowyard.deploy.targets import open_target


class TestLocal(TargetContract):
    @pytest.fixture
    def target(self, tmp_path: Path) -> Iterator[Target]:
        made = open_target("local", tmp_path / "home", os.environ, {})
        yield made
        made.remove("shop-dev")
