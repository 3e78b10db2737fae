"""The registry's front: labels, files on this machine, checkouts that stay in their folder."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from flowyard.abc import RegistryStore
from flowyard.errors import Conflict, NotFound, OutsideError, StoreError, UserError
from flowyard.registry import AliasChange, LineageFact, Registry, TreeFile, Version, open_registry, version_digest
from flowyard.registry.blobs import LocalBlobs
from flowyard.registry.stores.sql import SqlRegistryStore
from flowyard.settings import Settings
from flowyard.store.open import open_database


def registry_in(home: Path) -> Registry:
    return Registry(SqlRegistryStore(open_database(home, None), LocalBlobs(home / "registry")), home / "registry")


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return registry_in(tmp_path / "home")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    file = tmp_path / "data.jsonl"
    file.write_text('{"question": 1}\n')
    return file


def moved(alias: str, version: int | None) -> AliasChange:
    return AliasChange(alias, version, "me", "", "2026-01-02T03:04:05+00:00")


def snapshot(folder: Path) -> dict[str, tuple[int, int]]:
    """Every file with its time of change and its size."""
    return {str(path): (path.stat().st_mtime_ns, path.stat().st_size) for path in folder.rglob("*")}


def test_a_version_only_for_new_content(registry: Registry, data: Path):
    first = registry.register(data, "tickets", "by hand")
    assert (first.is_new, first.version.label, first.version.description) == (True, "tickets:1", "by hand")
    assert not registry.register(data, "tickets").is_new
    data.write_text("other")
    assert registry.register(data, "tickets").version.version == 2
    data.write_text('{"question": 1}\n')
    again = registry.register(data, "tickets")
    assert (again.is_new, again.version.version) == (False, 1)
    assert [each.version for each in registry.versions("tickets")] == [1, 2]


def test_registering_the_same_again_writes_nothing(registry: Registry, tmp_path: Path):
    folder = tmp_path / "folder"
    (folder / "deep").mkdir(parents=True)
    for number in range(300):
        (folder / "deep" / f"{number}").write_text(str(number % 7))
    registry.register(folder, "folder")
    before = snapshot(tmp_path / "home")
    assert not registry.register(folder, "folder").is_new
    after = snapshot(tmp_path / "home")
    database = {str(tmp_path / "home"), *(str(tmp_path / "home" / f"flowyard.db{end}") for end in ("-wal", "-shm"))}
    assert {name: told for name, told in after.items() if name not in database} == {
        name: told for name, told in before.items() if name not in database
    }


def test_a_version_stays_what_it_was(registry: Registry, data: Path):
    registry.register(data, "tickets")
    data.write_text("changed later")
    path = registry.resolve("tickets:1")
    assert (path.name, path.read_text()) == ("data.jsonl", '{"question": 1}\n')
    assert registry.resolve("registry:tickets:1") == path
    assert path.stat().st_mode & 0o222 == 0


def test_equal_files_are_kept_once(registry: Registry, tmp_path: Path):
    folder = tmp_path / "folder"
    (folder / "deep").mkdir(parents=True)
    for name in ("a.jsonl", "deep/b.jsonl"):
        (folder / name).write_text("same")
    found = registry.register(folder, "folder").version
    assert [file.name for file in found.files] == ["a.jsonl", "deep/b.jsonl"]
    assert (registry.resolve("folder:1") / "deep" / "b.jsonl").read_text() == "same"
    (blob,) = (tmp_path / "home" / "registry" / "blobs").iterdir()
    assert blob.stat().st_nlink == 3, "trees are links where there are links"


def test_times_and_modes_do_not_count(registry: Registry, data: Path, tmp_path: Path):
    registry.register(data, "tickets")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    copy = Path(shutil.copy(data, elsewhere / "data.jsonl"))
    os.utime(copy, (1, 1))
    copy.chmod(0o600)
    assert not registry.register(copy, "tickets").is_new
    copy.rename(elsewhere / "renamed.jsonl")
    assert registry.register(elsewhere / "renamed.jsonl", "tickets").is_new


def test_changed_bytes_are_said_and_not_served(registry: Registry, data: Path):
    registry.register(data, "tickets")
    path = registry.resolve("tickets:1")
    path.chmod(0o644)
    path.write_text('{"question": 2}\n')
    with pytest.raises(StoreError, match="was changed"):
        registry.resolve("tickets:1")


def test_what_is_damaged_here_only_is_fetched_again(registry: Registry, data: Path, tmp_path: Path):
    registry.register(data, "tickets")
    path = registry.resolve("tickets:1")
    path.unlink()
    path.write_text('{"question": 2}\n')
    assert registry.resolve("tickets:1").read_text() == '{"question": 1}\n'
    (path.parent / "more").write_text("not registered")
    assert registry.resolve("tickets:1") == path
    assert not (path.parent / "more").exists()
    path.unlink()
    path.symlink_to(data)
    assert not registry.resolve("tickets:1").is_symlink()
    assert not [each for each in (tmp_path / "home" / "registry" / "unpacking").iterdir() if each.suffix != ".lock"]


@pytest.mark.parametrize(("before", "after"), [("data.jsonl", "../../secret"), ('", 16,', '", 17,'), ("{", "")])
def test_a_changed_record_is_said(registry: Registry, data: Path, tmp_path: Path, before: str, after: str):
    registry.register(data, "tickets")
    database = open_database(tmp_path / "home", None)
    ((text,),) = database.read(lambda each: each.execute("SELECT content FROM flowyard_registry_versions").fetchall())
    assert before in text
    changed = text.replace(before, after, 1)
    database.write(lambda each: each.execute("UPDATE flowyard_registry_versions SET content = ?", (changed,)))
    with pytest.raises(StoreError, match="damaged"):
        registry.resolve("tickets:1")


def test_what_is_not_there(registry: Registry, data: Path, tmp_path: Path):
    assert list(registry.names()) == []
    with pytest.raises(NotFound, match="No dataset 'tickets'"):
        registry.find("tickets:1")
    registry.register(data, "tickets")
    for label in ("tickets:2", "tickets:0", "tickets:01", "tickets:", "tickets:x"):
        with pytest.raises(NotFound, match="has no version"):
            registry.find(label)
    with pytest.raises(NotFound) as told:
        registry.find("tickts:1")
    assert told.value.hint == "Did you mean 'tickets'?"
    with pytest.raises(NotFound):
        registry.register(tmp_path / "nowhere", "tickets")
    assert registry.find("tickets").version == 1


def test_aliases_name_versions(registry: Registry, data: Path):
    registry.register(data, "tickets")
    data.write_text("other")
    registry.register(data, "tickets")
    registry.move_alias("tickets", moved("candidate", 2))
    registry.move_alias("tickets", moved("production@dev", 1))
    assert registry.find("tickets@candidate").version == 2
    assert registry.find("registry:tickets@production@dev").version == 1
    registry.move_alias("tickets", moved("candidate", None))
    assert registry.aliases("tickets") == {"production@dev": 1}
    with pytest.raises(NotFound, match="has no alias 'candidate'"):
        registry.find("tickets@candidate")
    with pytest.raises(NotFound) as told:
        registry.find("tickets@production@dav")
    assert told.value.hint == "Did you mean 'production@dev'?"
    with pytest.raises(NotFound):
        registry.move_alias("tickets", moved("candidate", None))
    with pytest.raises(UserError):
        registry.move_alias("tickets", moved("1", 1))


@pytest.mark.parametrize(
    "name", ["", "..", "../x", "a/b", "a\\b", "a:b", "a@b", ".hidden", "x" * 101, "a\x00b", "a\nb"]
)
def test_names_that_lead_elsewhere_are_refused(registry: Registry, data: Path, tmp_path: Path, name: str):
    with pytest.raises(UserError, match="no name in a registry"):
        registry.register(data, name)
    assert not (tmp_path / "home").exists()


def test_links_and_empty_folders_are_refused(registry: Registry, data: Path, tmp_path: Path):
    folder = tmp_path / "folder"
    folder.mkdir()
    with pytest.raises(UserError, match="no file"):
        registry.register(folder, "folder")
    (folder / "link").symlink_to(data)
    with pytest.raises(UserError, match="not a plain file"):
        registry.register(folder, "folder")
    with pytest.raises(UserError, match="not a plain file"):
        registry.register(folder / "link", "folder")
    (folder / ".env").write_text("KEY=secret")
    with pytest.raises(UserError, match="never registered"):
        registry.register(folder / ".env", "folder")
    assert list(registry.names()) == []


def test_what_cannot_be_written_is_an_error_outside(tmp_path: Path, data: Path):
    (tmp_path / "home").write_text("a file where the folder should be")
    with pytest.raises(OutsideError):
        registry_in(tmp_path / "home").register(data, "tickets")


def test_a_checkout_is_byte_for_byte_and_the_callers_own(registry: Registry, tmp_path: Path):
    folder = tmp_path / "folder"
    (folder / "deep").mkdir(parents=True)
    (folder / "deep" / "b.bin").write_bytes(bytes(range(256)))
    (folder / "a").write_bytes(b"")
    version = registry.register(folder, "folder").version
    for target in (tmp_path / "new" / "deep", tmp_path / "empty"):
        (tmp_path / "empty").mkdir(exist_ok=True)
        registry.checkout(version, target)
        assert sorted(path.relative_to(target).as_posix() for path in target.rglob("*")) == ["a", "deep", "deep/b.bin"]
        (target / "deep" / "b.bin").write_bytes(b"mine")
    assert (registry.resolve("folder:1") / "deep" / "b.bin").read_bytes() == bytes(range(256))
    with pytest.raises(Conflict, match="something in"):
        registry.checkout(version, tmp_path / "empty")
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    for place in (tmp_path / "link", tmp_path / "empty" / "a"):
        with pytest.raises(UserError, match="no folder"):
            registry.checkout(version, place)


class EvilStore(RegistryStore):
    """A store that gives out what nobody could have registered."""

    label = "evil"

    def __init__(self, version: Version) -> None:
        self.version = version

    def names(self, kind: object) -> Sequence[str]:
        return [self.version.name]

    def versions(self, kind: object, name: str) -> Sequence[Version]:
        return [self.version]

    def fetch(self, version: Version, folder: Path) -> None:
        for file in version.files:
            target = folder / file.name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(b"evil")

    def add(self, draft: object) -> object:
        raise NotImplementedError

    move_alias = alias_changes = add_fact = facts = add  # type: ignore[assignment]


EVIL = b"evil"
NAMES = [
    *("../out", "a/../../out", "/out", "//out", "..", ".", "a/./b", "a//b", "a/", "", "..\\out", "C:\\out", "C:out"),
    *("a\x00b", "a\nb", "%2e%2e/../out", "..%2fout/..", "con", "a/NUL.txt", "a.", "a ", "\udc80"),
]


def evil_version(*names: str) -> Version:
    import hashlib

    files = tuple(TreeFile(name, 4, hashlib.sha256(EVIL).hexdigest()) for name in names)
    try:
        digest = version_digest(files, True, {})
    except UnicodeEncodeError:
        digest = "0" * 64
    return Version("dataset", "tickets", 1, digest, files, True, "", "")


@pytest.mark.parametrize("names", [*((name,) for name in NAMES), ("a", "a"), ("a", "a/b"), ("a/b", "a")])
def test_names_of_an_evil_store_lead_nowhere(tmp_path: Path, names: tuple[str, ...]):
    version = evil_version(*names)
    registry = Registry(EvilStore(version), tmp_path / "deep" / "cache")
    before = snapshot(tmp_path)
    for work in (
        lambda: registry.resolve("tickets:1"),
        lambda: registry.checkout(version, tmp_path / "deep" / "target"),
    ):
        with pytest.raises(StoreError, match="was changed"):
            work()
    assert snapshot(tmp_path) == before


def test_an_evil_store_that_gives_other_files_is_told(tmp_path: Path):
    honest = evil_version("a")
    assert (Registry(EvilStore(honest), tmp_path / "one").resolve("tickets:1") / "a").read_bytes() == EVIL
    for changed in (
        replace(honest, digest="../../../out"),
        replace(honest, settings={"a": 1}),
        replace(honest, files=()),
    ):
        with pytest.raises(StoreError):
            Registry(EvilStore(changed), tmp_path / "two").resolve("tickets:1")

    class Linking(EvilStore):
        def fetch(self, version: Version, folder: Path) -> None:
            (tmp_path / "secret").write_bytes(EVIL)
            (folder / "a").symlink_to(tmp_path / "secret")

    class LinkingFolders(EvilStore):
        def fetch(self, version: Version, folder: Path) -> None:
            (tmp_path / "secrets").mkdir(exist_ok=True)
            (tmp_path / "secrets" / "b").write_bytes(EVIL)
            (folder / "a").symlink_to(tmp_path / "secrets")

    class Adding(EvilStore):
        def fetch(self, version: Version, folder: Path) -> None:
            super().fetch(version, folder)
            (folder / "more").write_bytes(b"")

    for store in (Linking(honest), LinkingFolders(evil_version("a/b")), Adding(honest)):
        with pytest.raises(StoreError):
            Registry(store, tmp_path / "three").resolve("tickets:1")
    assert not list((tmp_path / "three").glob("trees/*"))


def test_facts_pass_through(registry: Registry, data: Path):
    version = registry.register(data, "tickets").version
    known = LineageFact("note", {"text": "checked"}, "me", "2026-01-02T03:04:05+00:00")
    registry.add_fact(version, known)
    assert list(registry.facts(version)) == [known]


def test_where_the_settings_say(tmp_path: Path, data: Path):
    settings = Settings(tmp_path / "home", {}, tmp_path, tmp_path, registry_files=str(tmp_path / "files"))
    registry = open_registry(settings)
    registry.register(data, "tickets")
    assert len(list((tmp_path / "files" / "blobs").iterdir())) == 1
    assert registry.resolve("tickets").is_relative_to(tmp_path / "home" / "registry")
    remote = open_registry(replace(settings, registry_files=f"memory://{tmp_path.name}"))
    data.write_text("more")
    assert remote.register(data, "tickets").version.version == 2
    assert remote.resolve("tickets:2").read_text() == "more"
    for url in ("ftp://host", "nonsense", "mlflow://host", "http://u:geheim@host"):
        with pytest.raises(UserError) as told:
            open_registry(replace(settings, registry=url))
        assert "geheim" not in f"{told.value} {told.value.hint}"
    for url in ("s3://u:geheim@bucket/x", "memory://a?key=geheim"):
        with pytest.raises(UserError) as told:
            open_registry(replace(settings, registry_files=url))
        assert "geheim" not in f"{told.value} {told.value.hint}"
