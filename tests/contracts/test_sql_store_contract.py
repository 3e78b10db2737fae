from __future__ import annotations

from pathlib import Path

import pytest
from store_contract import StoreContract

from flowyard.abc import Store
from flowyard.store import SqlStore


class TestSqlStore(StoreContract):
    @pytest.fixture
    def store(self, tmp_path: Path) -> Store:
        return SqlStore(tmp_path / "home")
