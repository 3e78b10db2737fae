from __future__ import annotations

from pathlib import Path

import pytest
from production_contract import Address, ProductionContract


class TestSqlite(ProductionContract):
    @pytest.fixture
    def address(self, tmp_path: Path) -> Address:
        return tmp_path / "home", None


class TestPostgres(ProductionContract):
    @pytest.fixture
    def address(self, tmp_path: Path, postgres_url: str) -> Address:
        return tmp_path / "home", postgres_url
