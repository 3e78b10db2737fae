from __future__ import annotations

from pathlib import Path

import pytest
from judgement_contract import JudgementContract
from production_contract import Address


class TestSqlite(JudgementContract):
    @pytest.fixture
    def address(self, tmp_path: Path) -> Address:
        return tmp_path / "home", None


class TestPostgres(JudgementContract):
    @pytest.fixture
    def address(self, tmp_path: Path, postgres_url: str) -> Address:
        return tmp_path / "home", postgres_url
