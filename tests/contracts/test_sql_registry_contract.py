"""The registry's own store: SQLite with a folder, PostgreSQL with storage that fsspec reaches."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import fsspec
import pytest
from registry_contract import OpenStore, RegistryContract, SharedRegistryContract

from flowyard.abc import RegistryStore
from flowyard.registry.blobs import LocalBlobs
from flowyard.registry.blobs_fsspec import FsspecBlobs
from flowyard.registry.stores.sql import SqlRegistryStore
from flowyard.store.open import open_database

Address = tuple[Path, str | None, str | None]
"""The home, the URL of the database and the URL of the files."""


def open_sql_store(address: Address) -> RegistryStore:
    home, database, files = address
    blobs = LocalBlobs(home / "registry") if files is None else FsspecBlobs(files)
    return SqlRegistryStore(open_database(home, database), blobs)


def overwrite(file: Path) -> None:
    file.chmod(0o644)
    file.write_bytes(bytes(each ^ 1 for each in file.read_bytes()))


class SqlContract:
    @pytest.fixture
    def open_store(self) -> OpenStore:
        return open_sql_store


class TestSqliteAndFolder(SqlContract, SharedRegistryContract):
    facts_each = 1000

    @pytest.fixture
    def address(self, tmp_path: Path) -> Address:
        return tmp_path / "home", None, None

    @pytest.fixture
    def damage(self, address: Address) -> Callable[[str], None]:
        return lambda digest: overwrite(address[0] / "registry" / "blobs" / digest)

    @pytest.fixture
    def unreachable(self, tmp_path: Path) -> RegistryStore:
        (tmp_path / "blocked").mkdir()
        (tmp_path / "blocked" / "flowyard.db").write_text("a file that is no database, " * 50)
        return open_sql_store((tmp_path / "blocked", None, None))


class TestSqliteAndMemory(SqlContract, RegistryContract):
    @pytest.fixture
    def address(self, tmp_path: Path) -> Address:
        return tmp_path / "home", None, f"memory://{tmp_path.name}"

    @pytest.fixture
    def damage(self, address: Address) -> Callable[[str], None]:
        files: Any = fsspec.filesystem("memory")
        return lambda digest: files.pipe_file(f"{address[2]}/blobs/{digest[:2]}/{digest}", b"f1rst")


class TestPostgresAndFiles(SqlContract, SharedRegistryContract):
    processes = 8
    times = 10
    facts_each = 20
    kills = 2

    @pytest.fixture
    def address(self, tmp_path: Path, postgres_url: str) -> Address:
        return tmp_path / "home", postgres_url, (tmp_path / "files").as_uri()

    @pytest.fixture
    def damage(self, tmp_path: Path) -> Callable[[str], None]:
        return lambda digest: overwrite(tmp_path / "files" / "blobs" / digest[:2] / digest)

    @pytest.fixture
    def unreachable(self, tmp_path: Path) -> RegistryStore:
        return open_sql_store((tmp_path / "home", "postgresql://nobody@127.0.0.1:1/d", None))
