"""Fixtures of all tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

pytest.register_assert_rewrite("store_contract")


@pytest.fixture(scope="session")
def postgres_address() -> Iterator[str]:
    """A real PostgreSQL server, started when the first test wants it; ``scripts/test.sh`` installs it."""
    pytest.importorskip("pwd", reason="the server of the tests needs a POSIX system")
    pytest.importorskip("psycopg")
    from postgres_server import postgres_programs, postgres_server

    programs = postgres_programs()
    if programs is None:
        pytest.skip("PostgreSQL is not installed")
    with postgres_server(programs) as address:
        yield address


@pytest.fixture
def postgres_url(postgres_address: str) -> str:
    """The URL of an empty database."""
    from postgres_server import fresh_url

    return fresh_url(postgres_address)
