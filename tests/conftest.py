"""Fixtures of all tests."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

pytest.register_assert_rewrite("store_contract", "registry_contract", "production_contract", "judgement_contract")

TABLES = {
    "reference values": ("source | case | published | ours", "{} | {} | {} | {}"),
    "measured rates": ("method | case | promised | measured", "{} | {} | {} | {}"),
}
"""Figures that tests hand over with ``record_property(table, [...])``; they are printed when the tests have run."""


LONG = frozenset(
    {
        "test_ab_scenario.py",
        "test_against_promptflow.py",
        "test_azure_pipelines_run.py",
        "test_command_faults.py",
        "test_deploy_faults.py",
        "test_generate_jenkins.py",
        "test_pipeline_run.py",
        "test_scripts_against_promptflow.py",
        "test_tour.py",
        "test_workflows_run.py",
    }
)
"""Files that take a minute or more, each in one process of the tests."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long files begin first, so that none is alone at the end, which the short ones of tests/unit fill up."""
    items.sort(key=lambda item: item.path.name not in LONG)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """The tables of published and measured figures, also when tests ran in several processes."""
    properties = [each for report in terminalreporter.getreports("passed") for each in report.user_properties]
    for table, (head, row) in TABLES.items():
        rows = sorted({row.format(*figures) for name, figures in properties if name == table})
        if rows:
            terminalreporter.section(f"statistics: {table}")
            terminalreporter.write_line("\n".join([head, *rows]))


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


@pytest.fixture(scope="session")
def mlflow_address() -> Iterator[str]:
    """A real MLflow server, started when the first test wants it; ``scripts/mlflow_server.sh`` installs it."""
    from mlflow_server import mlflow_server

    with mlflow_server() as address:
        yield address
