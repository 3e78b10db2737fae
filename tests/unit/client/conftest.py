"""Fixtures of calls from Python."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from client_flows import FLOW, WORK, write_flow

from flowyard.client import ambient


@pytest.fixture(autouse=True)
def _own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("FLOWYARD_HOME", str(tmp_path / "home"))
    ambient._first_settings.cache_clear()
    yield
    ambient._first_settings.cache_clear()


@pytest.fixture
def repeat(tmp_path: Path) -> Path:
    """A flow that repeats ``x``; ``loaded.txt`` says how often its code was loaded."""
    return write_flow(tmp_path / "repeat", FLOW, work=WORK)
