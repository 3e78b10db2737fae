from __future__ import annotations

from pathlib import Path

import pytest
from store_contract import StoreContract

from flowyard.abc import Store
from flowyard.store import SqlStore


class TestSqlite(StoreContract):
    @pytest.fixture
    def store(self, tmp_path: Path) -> Store:
        return SqlStore(tmp_path / "home")


class TestPostgres(StoreContract):
    @pytest.fixture
    def store(self, tmp_path: Path, postgres_url: str) -> Store:
        return SqlStore(tmp_path / "home", postgres_url)
