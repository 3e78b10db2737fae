"""Fixtures of the tests of decisions."""

from __future__ import annotations

from pathlib import Path

import pytest
from decision_bench import Bench


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path / "runs")
