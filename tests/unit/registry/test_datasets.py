"""Registered datasets: one version for each content, dense, whole, and safe from whoever else registers."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from flowyard.errors import NotFound, OutsideError, StoreError, UserError
from flowyard.registry import DatasetRegistry, TreeFile, tree_digest

patient = settings(deadline=None, derandomize=True, max_examples=150, suppress_health_check=list(HealthCheck))

names = st.text("abcäö.-_ ", min_size=1, max_size=6).filter(lambda name: name not in (".", ".."))
trees = st.dictionaries(names, st.binary(max_size=8), min_size=1, max_size=5)

REGISTER_MANY = """
import sys
from pathlib import Path
from flowyard.registry import DatasetRegistry
home, same, own, times = Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4])
registry = DatasetRegistry(home)
print("ready", flush=True)
sys.stdin.readline()
for _ in range(times):
    registry.register(same, "tickets")
registry.register(own, "tickets")
"""

REGISTER_FOREVER = """
import itertools, sys
from pathlib import Path
from flowyard.registry import DatasetRegistry
home, data = Path(sys.argv[1]), Path(sys.argv[2])
registry = DatasetRegistry(home)
for number in itertools.count(int(sys.argv[3])):
    (data / "part").write_bytes(b"%d" % number * 50_000)
    registry.register(data, "tickets")
    print(number, flush=True)
"""


@pytest.fixture
def registry(tmp_path: Path) -> DatasetRegistry:
    return DatasetRegistry(tmp_path / "home")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    file = tmp_path / "data.jsonl"
    file.write_text('{"question": 1}\n')
    return file


def start(code: str, *args: object) -> subprocess.Popen[str]:
    words = [sys.executable, "-c", code, *map(str, args)]
    return subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def numbers(registry: DatasetRegistry, name: str = "tickets") -> list[int]:
    return [each.version for each in registry.versions(name)]


def test_a_version_only_for_new_content(registry: DatasetRegistry, data: Path):
    first = registry.register(data, "tickets", "by hand")
    assert (first.is_new, first.version.label, first.version.description) == (True, "tickets:1", "by hand")
    assert not registry.register(data, "tickets").is_new
    data.write_text("other")
    assert registry.register(data, "tickets").version.version == 2
    data.write_text('{"question": 1}\n')
    again = registry.register(data, "tickets")
    assert (again.is_new, again.version.version) == (False, 1)
    assert numbers(registry) == [1, 2]


def test_a_version_stays_what_it_was(registry: DatasetRegistry, data: Path):
    registry.register(data, "tickets")
    data.write_text("changed later")
    path = registry.resolve("tickets:1")
    assert (path.name, path.read_text()) == ("data.jsonl", '{"question": 1}\n')
    assert registry.resolve("registry:tickets:1") == path
    assert path.stat().st_mode & 0o222 == 0


def test_a_folder_and_equal_files_in_it(registry: DatasetRegistry, tmp_path: Path):
    folder = tmp_path / "folder"
    (folder / "deep").mkdir(parents=True)
    for name in ("a.jsonl", "deep/b.jsonl"):
        (folder / name).write_text("same")
    (folder / "__pycache__").mkdir()
    (folder / "__pycache__" / "x.pyc").write_text("left out")
    found = registry.register(folder, "folder").version
    assert [file.name for file in found.files] == ["a.jsonl", "deep/b.jsonl"]
    assert (registry.resolve("folder:1") / "deep" / "b.jsonl").read_text() == "same"
    assert len(list((tmp_path / "home" / "registry" / "blobs").iterdir())) == 1


def digest_of(tree: dict[str, bytes]) -> str:
    from hashlib import sha256

    return tree_digest(TreeFile(name, len(content), sha256(content).hexdigest()) for name, content in tree.items())


@patient
@given(trees, st.randoms(use_true_random=False))
def test_the_digest_knows_names_and_bytes_only(tree: dict[str, bytes], source):
    order = list(tree)
    source.shuffle(order)
    assert digest_of({name: tree[name] for name in order}) == digest_of(tree)


@patient
@given(trees, trees)
def test_different_trees_have_different_digests(one: dict[str, bytes], other: dict[str, bytes]):
    assume(one != other)
    assert digest_of(one) != digest_of(other)


def test_what_lies_between_two_files_counts():
    assert digest_of({"a": b"xy", "b": b"z"}) != digest_of({"a": b"x", "b": b"yz"})
    assert digest_of({"a": b"x"}) != digest_of({"a": b"x", "b": b""})
    assert digest_of({"ab": b""}) != digest_of({"a": b"b"})


def test_times_and_modes_do_not_count(registry: DatasetRegistry, data: Path, tmp_path: Path):
    registry.register(data, "tickets")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    copy = Path(shutil.copy(data, elsewhere / "data.jsonl"))
    os.utime(copy, (1, 1))
    copy.chmod(0o600)
    assert not registry.register(copy, "tickets").is_new
    copy.rename(elsewhere / "renamed.jsonl")
    assert registry.register(elsewhere / "renamed.jsonl", "tickets").is_new


def test_sixteen_processes_at_once(registry: DatasetRegistry, data: Path, tmp_path: Path):
    workers = []
    for number in range(16):
        own = tmp_path / f"own{number}.jsonl"
        own.write_text(f"{number}")
        workers.append(start(REGISTER_MANY, tmp_path / "home", data, own, 20))
    for worker in workers:
        assert worker.stdout.readline() == "ready\n"
    for worker in workers:
        worker.stdin.write("go\n")
        worker.stdin.flush()
    for worker in workers:
        worker.communicate(timeout=60)
    assert [worker.returncode for worker in workers] == [0] * 16
    assert numbers(registry) == list(range(1, 18))
    assert len({each.digest for each in registry.versions("tickets")}) == 17
    assert all(registry.resolve(each.label).is_file() for each in registry.versions("tickets"))


def test_a_kill_at_any_time_leaves_whole_versions(registry: DatasetRegistry, tmp_path: Path):
    folder = tmp_path / "data"
    folder.mkdir()
    for kill in range(5):
        worker = start(REGISTER_FOREVER, tmp_path / "home", folder, 1000 * kill)
        for _ in range(kill + 1):
            assert worker.stdout.readline()
        worker.kill()
        worker.communicate()
        for each in registry.versions("tickets"):
            assert registry.resolve(each.label).is_dir()
    (folder / "part").write_text("after all")
    made = registry.register(folder, "tickets").version
    assert numbers(registry) == list(range(1, made.version + 1))
    assert not (tmp_path / "home" / "registry" / "datasets" / "tickets" / "incoming").exists()


def test_changed_bytes_are_said_and_not_served(registry: DatasetRegistry, data: Path):
    registry.register(data, "tickets")
    path = registry.resolve("tickets:1")
    path.chmod(0o644)
    path.write_text('{"question": 2}\n')
    with pytest.raises(StoreError, match="was changed"):
        registry.resolve("tickets:1")
    path.unlink()
    with pytest.raises(StoreError, match="is missing"):
        registry.resolve("tickets:1")


@pytest.mark.parametrize(("before", "after"), [("data.jsonl", "../../secret"), ('"size": 16', '"size": 17'), ("{", "")])
def test_a_changed_record_is_said(registry: DatasetRegistry, data: Path, tmp_path: Path, before: str, after: str):
    registry.register(data, "tickets")
    record = tmp_path / "home" / "registry" / "datasets" / "tickets" / "versions" / "1.json"
    record.write_text(record.read_text().replace(before, after, 1))
    with pytest.raises(StoreError):
        registry.resolve("tickets:1")


def test_what_is_not_there(registry: DatasetRegistry, data: Path, tmp_path: Path):
    assert registry.names() == []
    with pytest.raises(NotFound, match="No dataset 'tickets'"):
        registry.find("tickets:1")
    registry.register(data, "tickets")
    for label in ("tickets:2", "tickets:0", "tickets:01", "tickets:", "tickets:x"):
        with pytest.raises(NotFound, match="has no version"):
            registry.find(label)
    with pytest.raises(NotFound):
        registry.register(tmp_path / "nowhere", "tickets")
    assert registry.find("tickets").version == 1


@pytest.mark.parametrize("name", ["", "..", "../x", "a/b", "a\\b", "a:b", ".hidden", "x" * 101, "a\x00b", "a\nb"])
def test_names_that_lead_elsewhere_are_refused(registry: DatasetRegistry, data: Path, tmp_path: Path, name: str):
    with pytest.raises(UserError, match="no name for a dataset"):
        registry.register(data, name)
    assert not (tmp_path / "home").exists()


def test_links_and_empty_folders_are_refused(registry: DatasetRegistry, data: Path, tmp_path: Path):
    folder = tmp_path / "folder"
    folder.mkdir()
    with pytest.raises(UserError, match="no file"):
        registry.register(folder, "folder")
    (folder / "link").symlink_to(data)
    with pytest.raises(UserError, match="not a plain file"):
        registry.register(folder, "folder")
    with pytest.raises(UserError, match="not a plain file"):
        registry.register(folder / "link", "folder")
    assert registry.names() == []


def test_what_cannot_be_written_is_an_error_outside(tmp_path: Path, data: Path):
    (tmp_path / "home").write_text("a file where the folder should be")
    with pytest.raises(OutsideError):
        DatasetRegistry(tmp_path / "home").register(data, "tickets")
