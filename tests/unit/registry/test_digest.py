"""What a digest depends on: names and bytes, and nothing else. Over 10,000 generated trees, on disk."""

from __future__ import annotations

import hashlib
import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path, PureWindowsPath
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flowyard.registry import TreeFile, tree_digest, version_digest
from flowyard.registry.registry import dataset_draft

Tree = dict[str, bytes]

TREES_OF_A_SEED = 25
SEEDS = 400
patient = settings(
    deadline=None, derandomize=True, database=None, max_examples=SEEDS, suppress_health_check=list(HealthCheck)
)
NAMES = ["a", "b", "ab", "a.b", "ä", "a b", "B", "a-", "é", "日"]


def made_tree(source: random.Random) -> Tree:
    """A few files, some in folders; no file has the name of a folder."""
    tree: Tree = {}
    for _ in range(source.randint(1, 5)):
        folder = "".join(f"{source.choice(NAMES)}.d/" for _ in range(source.choice([0, 0, 1, 2])))
        tree[folder + source.choice(NAMES)] = source.randbytes(source.choice([0, 1, 2, 9]))
    return tree


def files_of(tree: Tree) -> list[TreeFile]:
    return [TreeFile(name, len(content), hashlib.sha256(content).hexdigest()) for name, content in tree.items()]


def digest_of(tree: Tree) -> str:
    return version_digest(files_of(tree), True, {})


def write(tree: Tree, folder: Path) -> None:
    for name, content in tree.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)


def renamed(tree: Tree, name: str) -> Tree:
    return {**{each: content for each, content in tree.items() if each != name}, f"{name}x": tree[name]}


def moved(tree: Tree, name: str) -> Tree:
    return {**{each: content for each, content in tree.items() if each != name}, f"other.d/{name}": tree[name]}


def with_empty(tree: Tree, name: str) -> Tree:
    return {**tree, f"{name}.empty": b""}


def with_other_byte(tree: Tree, name: str) -> Tree:
    content = tree[name]
    return {**tree, name: bytes([content[0] ^ 1, *content[1:]]) if content else b"\x00"}


def with_other_boundary(tree: Tree, name: str) -> Tree:
    """The last byte of a file is the first of the next one."""
    ordered = sorted(tree, key=str.encode)
    following = ordered[(ordered.index(name) + 1) % len(ordered)]
    if following == name or not tree[name]:
        return with_other_byte(tree, name)
    return {**tree, name: tree[name][:-1], following: tree[name][-1:] + tree[following]}


def without(tree: Tree, name: str) -> Tree:
    return {each: content for each, content in tree.items() if each != name}


CHANGES = (renamed, moved, with_empty, with_other_byte, with_other_boundary, without)


@patient
@given(st.integers(0, 2**64 - 1))
def test_the_digest_knows_names_and_bytes_only(seed: int):
    source = random.Random(seed)
    for _ in range(TREES_OF_A_SEED):
        tree = made_tree(source)
        digest = digest_of(tree)
        order = list(tree)
        source.shuffle(order)
        assert digest_of({name: tree[name] for name in order}) == digest
        on_windows = {PureWindowsPath(name.replace("/", "\\")).as_posix(): content for name, content in tree.items()}
        assert digest_of(on_windows) == digest
        for change in CHANGES:
            assert digest_of(change(tree, source.choice(order))) != digest, change.__name__
        other = made_tree(source)
        assert (digest_of(other) == digest) == (other == tree)


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("trees")


def shuffled(source: random.Random, scandir: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Lists a folder in any order, as file systems may."""

    class Listed:
        def __init__(self, path: Any) -> None:
            with scandir(path) as found:
                self.entries = list(found)
            source.shuffle(self.entries)

        def __enter__(self) -> Any:
            return iter(self.entries)

        def __exit__(self, *_: object) -> None:
            pass

    return Listed


@settings(patient, max_examples=60)
@given(st.integers(0, 2**64 - 1))
def test_so_does_what_is_read_from_a_disk(scratch: Path, seed: int):
    source = random.Random(seed)
    for _ in range(5):
        tree = made_tree(source)
        folder = scratch / "tree"
        write(tree, folder)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(os, "scandir", shuffled(source, os.scandir))
            read = dataset_draft(folder, "x")
        for path in folder.rglob("*"):
            if path.is_file():
                path.chmod(source.choice([0o400, 0o600, 0o755]))
            os.utime(path, (source.randint(0, 2**31), source.randint(0, 2**31)))
        again = dataset_draft(folder, "x")
        assert read.digest == again.digest == digest_of(tree)
        assert [file.name for file in read.files] == sorted(tree, key=str.encode)
        assert [place.read_bytes() for place in read.places] == [tree[file.name] for file in read.files]
        shutil.rmtree(folder)


def test_the_digest_is_this_one_everywhere_and_for_ever():
    tree = {"a.txt": b"one\n", "deep/ü.bin": bytes(range(256)), "empty": b""}
    assert tree_digest(files_of(tree)) == "0eee83bb921767901693b8c7bfefa16fb86b59bce1816870714d4da7de6b3b56"
    assert (
        version_digest(files_of(tree), True, {}) == "6108bc23fb52fc4c6d66fd81b9ea398ca9bc33149e84212edfbdad67eec85478"
    )
    assert (
        version_digest(files_of(tree), True, {"variant": {"answer": "short"}, "parameters": {"ü": 0.5}})
        == "3ef5a1f3e8cd8484a6c3d20d8ce0eef9c36de0612f48ae98c7ff78a0f9ece86a"
    )


def test_settings_and_the_kind_of_content_count():
    files = files_of({"a": b"1"})
    digests = {
        version_digest(files, is_folder, settings)
        for is_folder in (True, False)
        for settings in ({}, {"parameters": {}}, {"parameters": {"a": 1}}, {"parameters": {"a": "1"}}, {"variant": {}})
    }
    assert len(digests) == 10
    ordered = version_digest(files, True, {"a": 1, "b": {"c": 2, "d": 3}})
    assert ordered == version_digest(files, True, {"b": {"d": 3, "c": 2}, "a": 1})
