"""What every store must do; a test module of a store subclasses ``StoreContract``."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from flowyard.abc import Store
from flowyard.errors import Conflict, NotFound
from flowyard.records import ErrorRecord, LineCounts, RunRecord, Usage

__all__ = ["StoreContract", "new_run"]


def new_run(name: str, **changes: object) -> RunRecord:
    return replace(RunRecord(name, "running", "f/flow.dag.yaml", Path(), created_at="2024-01-01"), **changes)  # type: ignore[arg-type]


class StoreContract:
    """The contract; ``store`` is a fresh and empty one."""

    @pytest.fixture
    def store(self) -> Store:
        raise NotImplementedError

    def test_a_run_is_kept_whole(self, store: Store) -> None:
        made = store.create_run(new_run("one"))
        assert made.path.is_dir()
        done = replace(
            made,
            status="completed",
            variant="n=a",
            column_mapping={"x": "${data.y}", "n": 1},
            lines=LineCounts(3, 2, 1),
            metrics={"accuracy": 0.5, "names": ["ü", None]},
            usage=Usage(4, 3, 2, 1),
            errors=(ErrorRecord("E", "m", "n"),),
            warnings=("w",),
            ended_at="2024-01-02",
            duration_s=1.25,
            display_name="One",
            description="why",
            tags={"a": "b"},
            properties={"p": [1]},
            archived=True,
            assignment={"n": "a"},
            connections={"n": {"connection": "c"}},
            environment_names=("E",),
            init_names=("i",),
            resumed_from="zero",
            source="folder",
        )
        store.save_run(done)
        assert store.get_run("one") == done
        assert list(store.list_runs()) == [done]

    def test_a_name_is_claimed_once_by_16_threads(self, store: Store) -> None:
        barrier = threading.Barrier(16)

        def claim(number: int) -> bool:
            barrier.wait()
            try:
                store.create_run(new_run("same", display_name=str(number)))
            except Conflict:
                return False
            return True

        with ThreadPoolExecutor(16) as threads:
            won = list(threads.map(claim, range(16)))
        assert sum(won) == 1
        assert store.get_run("same").display_name == str(won.index(True))

    def test_a_deleted_run_is_gone_and_its_name_is_free(self, store: Store) -> None:
        for name in ("one", "other"):
            store.save_run(replace(store.create_run(new_run(name)), status="completed"))
        path = store.get_run("one").path
        store.delete_run("one")
        assert not path.exists()
        assert [run.name for run in store.list_runs()] == ["other"]
        with pytest.raises(NotFound):
            store.delete_run("one")
        store.create_run(new_run("one"))

    def test_a_running_run_is_not_deleted(self, store: Store) -> None:
        with store.hold("busy"):
            store.create_run(new_run("busy"))
            with pytest.raises(Conflict, match="is running"):
                store.delete_run("busy")
            assert store.get_run("busy").status == "running"
        store.delete_run("busy")

    def test_an_experiment_folder_is_claimed_once(self, store: Store) -> None:
        folder = store.create_experiment_folder("e", "key")
        assert folder.is_dir()
        with pytest.raises(Conflict):
            store.create_experiment_folder("e", "key")
        assert store.create_experiment_folder("e", "other") != folder

    def test_a_reader_never_sees_half_a_record(self, store: Store) -> None:
        made = store.create_run(new_run("busy"))
        stop = threading.Event()

        def write() -> None:
            for number in range(100):
                store.save_run(replace(made, metrics={"n": number, "pad": "x" * 5000}))
            stop.set()

        with ThreadPoolExecutor(1) as threads:
            writing = threads.submit(write)
            while not stop.is_set():
                store.get_run("busy")
                assert len(store.list_runs()) == 1
            writing.result()
        assert store.get_run("busy").metrics["n"] == 99

    def test_what_does_not_exist(self, store: Store) -> None:
        assert list(store.list_runs()) == []
        store.create_run(new_run("first-run"))
        with pytest.raises(NotFound) as caught:
            store.get_run("frist-run")
        assert "first-run" in str(caught.value.hint)

    @pytest.mark.parametrize("name", ["../first", ".", "..", "a/b", "", "/etc"])
    def test_odd_names_are_not_found(self, store: Store, name: str) -> None:
        with pytest.raises(NotFound):
            store.get_run(name)

    def test_newest_first(self, store: Store) -> None:
        for name, created in (("b", "2024-01-02"), ("c", "2024-01-03"), ("a", "2024-01-01")):
            store.create_run(new_run(name, created_at=created))
        assert [run.name for run in store.list_runs()] == ["c", "b", "a"]
