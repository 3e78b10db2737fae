"""What every store of registered versions has to keep, whatever is behind it.

A subclass gives two fixtures: ``address``, anything that can be pickled, and ``open_store``, a function at the top of a
module that makes a store of an address, also in another process. Processes need what ``address`` leads to.
"""

from __future__ import annotations

import hashlib
import itertools
import multiprocessing
import os
import signal
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from flowyard.abc import RegistryStore
from flowyard.errors import Conflict, NotFound, OutsideError, StoreError
from flowyard.registry import AliasChange, Draft, LineageFact, Registered, Registry, TreeFile, Version

__all__ = ["RegistryContract", "alias_change", "draft", "fact", "files_below"]

OpenStore = Callable[[Any], RegistryStore]

FILES = {"a.txt": b"first", "deep/er/b.bin": bytes(range(256)), "deep/empty": b"", "ü name.txt": "grün".encode()}
_WAIT_S = 120


def draft(folder: Path, contents: Mapping[str, bytes] = FILES, **fields: Any) -> Draft:
    """A draft of files that are written below a new folder."""
    folder.mkdir(parents=True)
    for name, content in contents.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    ordered = sorted(contents, key=str.encode)
    files = tuple(TreeFile(name, len(contents[name]), _sha256(contents[name])) for name in ordered)
    places = tuple(folder / name for name in ordered)
    return Draft(
        **{"kind": "dataset", "name": "tickets", "is_folder": True, "description": "", **fields},
        files=files,
        places=places,
    )


def fact(number: int, kind: Any = "run") -> LineageFact:
    return LineageFact(
        kind, {"name": f"run{number}", "nested": {"value": [1.5, None, "ü"]}}, "me", "2026-01-02T03:04:05+00:00"
    )


def alias_change(alias: str, version: int | None, reason: str = "because") -> AliasChange:
    return AliasChange(alias, version, "me", reason, "2026-01-02T03:04:05+00:00")


def files_below(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _add_many(open_store: OpenStore, address: Any, barrier: Any, folder: Path, times: int) -> None:
    """The same content many times and one of its own, beside others that do so."""
    store = open_store(address)
    same, own = draft(folder / "same"), draft(folder / "own", {"own": str(folder).encode()})
    barrier.wait(_WAIT_S)
    for _ in range(times):
        assert store.add(same).version.digest == same.digest
    assert store.add(own).is_new


def _add_facts(open_store: OpenStore, address: Any, barrier: Any, number: int, times: int) -> None:
    store = open_store(address)
    version = store.versions("dataset", "tickets")[0]
    barrier.wait(_WAIT_S)
    for each in range(times):
        store.add_fact(version, fact(number * times + each))


def _add_forever(open_store: OpenStore, address: Any, folder: Path, told: Any) -> None:
    store = open_store(address)
    for number in itertools.count():
        contents = {f"part{part}": b"%d" % part + os.urandom(20_000) for part in range(8)}
        store.add(draft(folder / str(number), contents))
        told.send(number)


class RegistryContract:
    """What every store does; ``address`` leads to one that is empty."""

    @pytest.fixture
    def address(self) -> Any:
        raise NotImplementedError

    @pytest.fixture
    def open_store(self) -> OpenStore:
        raise NotImplementedError

    @pytest.fixture
    def store(self, open_store: OpenStore, address: Any) -> RegistryStore:
        return open_store(address)

    @pytest.fixture
    def version(self, store: RegistryStore, tmp_path: Path) -> Version:
        return store.add(draft(tmp_path / "first")).version

    @pytest.fixture
    def damage(self, address: Any) -> Callable[[str], None]:
        """Changes a byte of the content with that digest behind the store's back."""
        raise NotImplementedError

    def test_nothing_is_there_at_first(self, store: RegistryStore):
        assert list(store.names("dataset")) == list(store.names("flow")) == []
        assert list(store.versions("dataset", "tickets")) == []
        assert list(store.alias_changes("dataset", "tickets")) == []
        assert store.label

    def test_a_version_only_for_new_content(self, store: RegistryStore, tmp_path: Path):
        one = draft(tmp_path / "one", description="by hand: ü 'quoted'\n")
        other = draft(tmp_path / "other", {**FILES, "a.txt": b"other"})
        first = store.add(one)
        assert (first.is_new, first.version.version, first.version.description) == (True, 1, one.description)
        assert store.add(replace(one, description="again")) == Registered(first.version, is_new=False)
        assert store.add(other).version.version == 2
        back = store.add(one)
        assert (back.is_new, back.version.version) == (False, 1), "every version is compared, not only the last"
        assert [each.version for each in store.versions("dataset", "tickets")] == [1, 2]

    def test_a_version_is_what_was_drafted(
        self, store: RegistryStore, open_store: OpenStore, address: Any, tmp_path: Path
    ):
        settings = {"variant": {"answer": "short"}, "parameters": {"answer.temperature": 0.5, "top": None}}
        drafted = draft(tmp_path / "flow", kind="flow", name="my-flow.1", settings=settings, description="ü")
        made = store.add(drafted).version
        again = open_store(address).versions("flow", "my-flow.1")[0]
        assert again == made
        assert (made.kind, made.name, made.digest, made.files) == ("flow", "my-flow.1", drafted.digest, drafted.files)
        assert dict(made.settings) == settings
        assert store.add(replace(drafted, settings={})).version.version == 2
        assert store.add(replace(drafted, settings=settings)).version == made

    def test_kinds_and_names_are_apart(self, store: RegistryStore, tmp_path: Path):
        one = draft(tmp_path / "one")
        for kind, name in (("dataset", "tickets"), ("flow", "tickets"), ("dataset", "Tickets"), ("dataset", "a.b-c_d")):
            assert store.add(replace(one, kind=kind, name=name)).version.version == 1
        assert list(store.names("dataset")) == sorted(["tickets", "Tickets", "a.b-c_d"])
        assert list(store.names("flow")) == ["tickets"]

    def test_one_file_is_not_a_folder_with_one_file(self, store: RegistryStore, tmp_path: Path):
        one = draft(tmp_path / "one", {"a.jsonl": b"{}"})
        assert store.add(one).version.is_folder
        file = store.add(replace(one, is_folder=False))
        assert (file.version.version, file.version.is_folder) == (2, False)

    def test_files_come_back_byte_for_byte(self, store: RegistryStore, version: Version, tmp_path: Path):
        target = tmp_path / "target"
        target.mkdir()
        store.fetch(version, target)
        assert files_below(target) == FILES

    def test_a_large_file_comes_back(self, store: RegistryStore, tmp_path: Path):
        large = {"large.bin": os.urandom(1 << 16) * 160}
        version = store.add(draft(tmp_path / "large", large)).version
        (tmp_path / "target").mkdir()
        store.fetch(version, tmp_path / "target")
        assert files_below(tmp_path / "target") == large

    def test_what_changes_while_it_is_read_is_no_version(self, store: RegistryStore, tmp_path: Path):
        one = draft(tmp_path / "one")
        one.places[0].write_bytes(b"f1rst")
        with pytest.raises(Conflict, match="changed"):
            store.add(one)
        assert list(store.versions("dataset", "tickets")) == []
        one.places[0].write_bytes(b"first")
        assert store.add(one).version.version == 1

    def test_aliases_move_and_have_a_history(self, store: RegistryStore, version: Version, tmp_path: Path):
        store.add(draft(tmp_path / "second", {"b": b"2"}))
        changes = [
            alias_change("candidate", 1),
            alias_change("production@dev", 1, "ü first\nline"),
            alias_change("candidate", 2),
            alias_change("candidate", None, ""),
            alias_change("candidate", 1),
        ]
        for change in changes:
            store.move_alias("dataset", "tickets", change)
        assert list(store.alias_changes("dataset", "tickets")) == changes
        assert list(store.alias_changes("flow", "tickets")) == []
        with pytest.raises(NotFound):
            store.move_alias("dataset", "tickets", alias_change("candidate", 3))
        with pytest.raises(NotFound):
            store.move_alias("flow", "tickets", alias_change("candidate", 1))
        assert list(store.alias_changes("dataset", "tickets")) == changes

    def test_facts_are_kept_in_order(self, store: RegistryStore, version: Version, tmp_path: Path):
        second = store.add(draft(tmp_path / "second", {"b": b"2"})).version
        known = [fact(1), fact(2, "metrics"), fact(1)]
        for each in known:
            store.add_fact(version, each)
        assert list(store.facts(version)) == known
        assert list(store.facts(second)) == []

    def test_many_threads_add_at_once(self, store: RegistryStore, tmp_path: Path):
        drafts = [draft(tmp_path / str(number), {"a": b"%d" % (number % 5)}) for number in range(20)]
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(store.add, drafts))
        found = store.versions("dataset", "tickets")
        assert [each.version for each in found] == [1, 2, 3, 4, 5]
        assert len({each.digest for each in found}) == 5

    def test_a_damaged_content_is_told_and_not_served(
        self, store: RegistryStore, version: Version, damage: Callable[[str], None], tmp_path: Path
    ):
        damage(version.files[0].digest)
        (tmp_path / "target").mkdir()
        with pytest.raises(StoreError):
            store.fetch(version, tmp_path / "target")
        with pytest.raises(StoreError):
            Registry(store, tmp_path / "cache").resolve("tickets:1")

    def test_the_front_resolves_and_checks_out(self, store: RegistryStore, version: Version, tmp_path: Path):
        registry = Registry(store, tmp_path / "cache")
        registry.move_alias("tickets", alias_change("production@dev", 1))
        assert registry.aliases("tickets") == {"production@dev": 1}
        assert registry.find("tickets@production@dev") == version
        assert files_below(registry.resolve("registry:tickets:1")) == FILES
        registry.checkout(version, tmp_path / "out")
        assert files_below(tmp_path / "out") == FILES


class SharedRegistryContract(RegistryContract):
    """What stores do besides that many processes reach, and that can fail to be reached.

    ``processes`` add at once, each the same content ``times`` times; ``fact_writers`` write ``facts_each``.
    """

    processes = 16
    times = 50
    fact_writers = 8
    facts_each = 60
    kills = 3

    @pytest.fixture
    def unreachable(self) -> RegistryStore:
        """A store whose outside does not answer."""
        raise NotImplementedError

    def test_many_processes_add_at_once(self, open_store: OpenStore, address: Any, tmp_path: Path):
        arguments = [(tmp_path / str(number), self.times) for number in range(self.processes)]
        self._at_once(_add_many, open_store, address, arguments)
        found = open_store(address).versions("dataset", "tickets")
        assert [each.version for each in found] == list(range(1, self.processes + 2))
        assert len({each.digest for each in found}) == self.processes + 1

    def test_many_processes_write_facts_at_once(
        self, open_store: OpenStore, address: Any, store: RegistryStore, version: Version
    ):
        arguments = [(number, self.facts_each) for number in range(self.fact_writers)]
        self._at_once(_add_facts, open_store, address, arguments)
        found = {each.value["name"] for each in store.facts(version)}
        assert len(store.facts(version)) == len(found) == self.fact_writers * self.facts_each

    def test_a_kill_leaves_whole_versions(self, open_store: OpenStore, address: Any, tmp_path: Path):
        context = multiprocessing.get_context("spawn")
        for kill in range(self.kills):
            heard, told = context.Pipe(duplex=False)
            worker = context.Process(target=_add_forever, args=(open_store, address, tmp_path / f"data{kill}", told))
            worker.start()
            for _ in range(kill + 1):
                assert heard.poll(_WAIT_S)
                heard.recv()
            os.kill(worker.pid, signal.SIGKILL)
            worker.join()
            heard.close()
            told.close()
        store = open_store(address)
        made = store.add(draft(tmp_path / "after")).version
        found = store.versions("dataset", "tickets")
        assert [each.version for each in found] == list(range(1, made.version + 1))
        for each in found:
            target = tmp_path / "fetched" / str(each.version)
            target.mkdir(parents=True)
            store.fetch(each, target)
            assert len(files_below(target)) == len(each.files)

    def test_a_failure_outside_is_told_and_no_version(self, unreachable: RegistryStore, tmp_path: Path):
        with pytest.raises(OutsideError):
            unreachable.add(draft(tmp_path / "one"))
        for work in (lambda: unreachable.names("dataset"), lambda: unreachable.versions("dataset", "tickets")):
            with pytest.raises(OutsideError):
                work()

    def _at_once(self, work: Callable[..., None], open_store: OpenStore, address: Any, arguments: Any) -> None:
        """Carry out the work in processes that begin together. A process that fails fails the test."""
        context = multiprocessing.get_context("spawn")
        barrier = context.Barrier(len(arguments))
        workers = [
            context.Process(target=work, args=(open_store, address, barrier, *each), daemon=True) for each in arguments
        ]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        assert [worker.exitcode for worker in workers] == [0] * len(workers)
