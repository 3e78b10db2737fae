from __future__ import annotations

from pathlib import Path

import pytest
from alert_contract import AlertContract
from production_contract import Address


class TestSqlite(AlertContract):
    @pytest.fixture
    def address(self, tmp_path: Path) -> Address:
        return tmp_path / "home", None


class TestPostgres(AlertContract):
    @pytest.fixture
    def address(self, tmp_path: Path, postgres_url: str) -> Address:
        return tmp_path / "home", postgres_url
