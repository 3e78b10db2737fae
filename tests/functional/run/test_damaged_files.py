"""Torn and changed bytes of everything that lasts: what is damaged is told, and never given out as if it were not."""

from __future__ import annotations

import random
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest

from flowyard.errors import StoreError
from flowyard.llm import ConnectionStore
from flowyard.llm.connection import OpenAIConnection
from flowyard.registry import Registry, open_registry
from flowyard.registry.model import AliasChange
from flowyard.release import ReleaseLog
from flowyard.settings import Settings

FLIPS = 1000


def torn(whole: bytes) -> Iterator[bytes]:
    """Every beginning."""
    return (whole[:end] for end in range(len(whole)))


def flipped(whole: bytes) -> Iterator[bytes]:
    """One bit changed, at places that are drawn."""
    draw = random.Random(7)
    for _ in range(FLIPS):
        at = draw.randrange(len(whole))
        yield whole[:at] + bytes([whole[at] ^ 1 << draw.randrange(8)]) + whole[at + 1 :]


def put(file: Path, content: bytes) -> None:
    """Change the bytes of a file where they are."""
    file.chmod(stat.S_IRUSR | stat.S_IWUSR)
    file.write_bytes(content)


@pytest.mark.parametrize("damage", [torn, flipped])
def test_a_release_is_as_it_was_written_or_told(tmp_path: Path, damage: Any):
    log = ReleaseLog(tmp_path)
    place: dict[str, Any] = {"env": "dev", "target": "local", "by": "Ann", "versions": {"flow": "1f"}}
    older = log.create("shop", **place, steps=["data", "gates"])
    newest = log.create("shop", **place, steps=["data", "gates"])
    file = newest.path / "release.json"
    whole = file.read_bytes()
    for content in damage(whole):
        file.write_bytes(content)
        found = log.list()
        if found != [newest, older]:  # the end of its last line changes nothing
            assert (found, log.damaged()) == ([older], [f"shop/{newest.key}"])
            with pytest.raises(StoreError, match="damaged"):
                log.get(newest.key)
        else:
            assert content.strip() == whole.strip()


@pytest.mark.parametrize("damage", [torn, flipped])
def test_a_connection_is_as_it_was_stored_or_told(tmp_path: Path, damage: Any):
    store = ConnectionStore(tmp_path, {}, "file")
    kept = OpenAIConnection("sk-geheim", name="my_model", base_url="https://models.example/v1")
    store.change("my_model", lambda _: kept)
    store.change("other", lambda _: OpenAIConnection("sk-other", name="other"))
    whole = store.file.read_bytes()
    for content in damage(whole):
        store.file.write_bytes(content)
        if content.strip() == whole.strip():
            assert store.find("my_model") == kept
            continue
        for work in (store.names, lambda: store.find("my_model"), lambda: store.delete("other")):
            with pytest.raises(StoreError, match="damaged"):
                work()
        assert store.file.read_bytes() == content


def test_an_early_connection_file_has_no_checksum(tmp_path: Path):
    store = ConnectionStore(tmp_path, {}, "file")
    store.change("my_model", lambda _: OpenAIConnection("sk-geheim", name="my_model"))
    text = store.file.read_text()
    store.file.write_text(text[: text.index(',\n  "checksum"')] + "\n}\n")
    assert store.find("my_model") == OpenAIConnection("sk-geheim", name="my_model")


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    """With a dataset in three versions; contents and trees are files of their own, as after a copy of the home."""
    found = open_registry(Settings(tmp_path / "home", {}, tmp_path, tmp_path))
    for number in range(1, 4):
        (tmp_path / "data.csv").write_text(f"a,b\n{number},{number}\n" + "x," * 50)
        found.register(tmp_path / "data.csv", "data")
        found.move_alias("data", AliasChange("production@dev", number, "Ann", "r", f"2026-01-0{number}"))
    return found


@pytest.mark.parametrize("damage", [torn, flipped])
def test_a_registered_file_is_as_it_was_or_told(tmp_path: Path, registry: Registry, damage: Any):
    version = registry.find("data:2")
    whole = registry.resolve("data:2").read_bytes()
    blob = tmp_path / "home" / "registry" / "blobs" / version.files[0].digest
    for content in damage(whole):
        put(blob, content)  # its tree is the same file
        with pytest.raises(StoreError):
            registry.resolve("data:2")
        with pytest.raises(StoreError):
            registry.checkout(version, tmp_path / "out")
        assert registry.find("data").version == 3
    put(blob, whole)
    tree = registry.resolve("data:2")
    tree.parent.chmod(0o755)
    tree.unlink()
    tree.write_bytes(whole[:-1])
    assert registry.resolve("data:2").read_bytes() == whole, "a damaged tree is made anew"


VERSIONS, ALIASES = "flowyard_registry_versions", "flowyard_registry_aliases"


def edit(folder: Path, sql: str, *values: str) -> None:
    """Change rows behind the store's back."""
    with closing(sqlite3.connect(folder / "home" / "flowyard.db")) as connection, connection:
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute(sql, values)


@pytest.mark.parametrize(("table", "column"), [(VERSIONS, "version"), (ALIASES, "number")])
@pytest.mark.parametrize(
    "change", ["DELETE FROM {table}", "UPDATE {table} SET {column} = 9", "UPDATE {table} SET name = ''"]
)
def test_a_row_that_is_taken_away_or_moved_is_told(
    tmp_path: Path, registry: Registry, table: str, column: str, change: str
):
    edit(tmp_path, f"{change.format(table=table, column=column)} WHERE {column} = 2")
    with pytest.raises(StoreError, match="missing"):
        registry.find("data@production@dev")


@pytest.mark.parametrize("column", ["content", "digest"])
def test_a_changed_version_is_told(tmp_path: Path, registry: Registry, column: str):
    before = registry.versions("data")
    whole = str(read(tmp_path, f"SELECT {column} FROM {VERSIONS} WHERE version = 2"))
    for content in list(flipped(whole.encode()))[:200]:
        edit(tmp_path, f"UPDATE {VERSIONS} SET {column} = ? WHERE version = 2", content.decode("latin1"))
        with suppress(StoreError):
            assert registry.versions("data") == before


def read(folder: Path, sql: str) -> Any:
    with closing(sqlite3.connect(folder / "home" / "flowyard.db")) as connection:
        return connection.execute(sql).fetchall()[0][0]
