"""Fixtures of the tests of approvals."""

from __future__ import annotations

from pathlib import Path

import pytest
from approval_office import SUBJECT, Office

from flowyard.approval.model import ApprovalSubject


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path)


@pytest.fixture
def subject() -> ApprovalSubject:
    return SUBJECT


@pytest.fixture(params=["sqlite", "postgresql"])
def any_office(request: pytest.FixtureRequest, tmp_path: Path) -> Office:
    """One over each kind of database."""
    url = request.getfixturevalue("postgres_url") if request.param == "postgresql" else None
    return Office(tmp_path, url)
