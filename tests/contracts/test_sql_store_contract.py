from __future__ import annotations

from pathlib import Path

import pytest
from store_contract import StoreContract

from flowyard.abc import Store
from flowyard.store import SqlStore

Address = tuple[Path, str | None]


class TestSqlite(StoreContract):
    @pytest.fixture
    def address(self, tmp_path: Path) -> Address:
        return tmp_path / "home", None

    @pytest.fixture
    def store(self, address: Address) -> Store:
        return SqlStore(*address)


class TestPostgres(StoreContract):
    writes = 15
    examples = 8

    @pytest.fixture
    def address(self, tmp_path: Path, postgres_url: str) -> Address:
        return tmp_path / "home", postgres_url

    @pytest.fixture
    def store(self, address: Address) -> Store:
        return SqlStore(*address)
