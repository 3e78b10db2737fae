"""What every store must do; a test module of a store subclasses ``StoreContract``."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plain_filter import plain_list

from flowyard.abc import Store
from flowyard.errors import Conflict, NotFound
from flowyard.records import ErrorRecord, ExperimentRecord, LineCounts, RunQuery, RunRecord, Usage

__all__ = ["StoreContract", "new_run"]


def new_run(name: str, **changes: object) -> RunRecord:
    return replace(RunRecord(name, "running", "f/flow.dag.yaml", Path(), created_at="2024-01-01"), **changes)  # type: ignore[arg-type]


def new_experiment(store: Store, name: str, key: str, created_at: str) -> ExperimentRecord:
    """A stored execution of an experiment, with a run and its evaluation."""
    runs = [
        store.create_run(new_run(f"{name}-{key}-{role}", role=role, usage=Usage(2, 3, 4), metrics={"accuracy": 0.5}))
        for role in ("variant", "evaluation")
    ]
    record = ExperimentRecord(
        name=name,
        key=key,
        path=store.create_experiment_folder(name, key),
        created_at=created_at,
        env="dev",
        runs=tuple(runs),
        variants={runs[0].name: {"node": "variant_1"}},
        evaluations={runs[1].name: ("grade", runs[0].name)},
        duration_s=1.5,
    )
    store.save_experiment(record)
    return record


WRITER = """\
import json, sys
from dataclasses import replace
from pathlib import Path
from flowyard.records import RunRecord
from flowyard.store import SqlStore

home, url, number, count = json.loads(sys.argv[1])
store = SqlStore(Path(home), url)
for each in range(count):
    name = f"w{number}-{each}"
    with store.hold(name):
        run = store.create_run(RunRecord(name, "running", "f", Path(), created_at="2024", tags={"n": str(number)}))
        store.save_run(replace(run, status="completed"))
"""
HOLDER = """\
import json, sys
from pathlib import Path
from flowyard.store import SqlStore

home, url = json.loads(sys.argv[1])
with SqlStore(Path(home), url).hold("r"):
    print("held", flush=True)
    sys.stdin.read()
"""
WRITERS = 8

NAMES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._+@=%é-]{0,4}", fullmatch=True)
TEXTS = st.sampled_from(["a", "b", "A", "", "%", "ü \n'\"\\", "\0", "\ud800"])
TIMES = st.sampled_from(
    ["2024-01-02", "2024-01-02T00:00:00+00:00", "2024-01-01T23:00:00-05:00", "2024-01-02T04:00:00.5Z", "2023-12-31"]
)
FLOWS = st.sampled_from(
    ["/p/ask/flow.dag.yaml", "/q/ask/flow.flex.yaml", "/p/ask/basic.prompty", "/p/other/flow.dag.yaml"]
)
STATUSES = st.sampled_from(["completed", "failed", "canceled", "running"])
RUNS = st.lists(
    st.builds(
        RunRecord,
        name=NAMES,
        status=STATUSES,
        flow=FLOWS,
        path=st.just(Path()),
        role=st.sampled_from(["run", "variant", "evaluation"]),
        base_run=st.none() | st.just("base"),
        created_at=TIMES,
        tags=st.dictionaries(st.sampled_from(["t", "%", "\0"]), TEXTS, max_size=2),
        archived=st.booleans(),
    ),
    max_size=6,
    unique_by=lambda run: run.name.casefold(),
)
QUERIES = st.builds(
    RunQuery,
    status=st.none() | STATUSES,
    flow=st.none() | st.sampled_from(["ask", "basic", "/p/ask", "/p/b/flow.dag.yaml", "flow.dag", "nothing"]),
    role=st.none() | st.sampled_from(["run", "evaluation"]),
    tags=st.just({}) | st.dictionaries(st.sampled_from(["t", "%", "\0"]), TEXTS, max_size=1),
    base_run=st.none() | st.just("base"),
    name=st.none() | st.text(alphabet="aA1*?%_[]\\.é-", max_size=4) | st.just("*"),
    archived=st.none() | st.booleans(),
    since=st.none() | TIMES,
    limit=st.none() | st.integers(0, 5),
    offset=st.integers(0, 3),
)


class StoreContract:
    """The contract; ``store`` is a fresh and empty one, which another process opens by ``address``."""

    writes = 60
    """How many runs each of eight processes makes."""

    examples = 25
    """How many stores full of runs are searched."""

    @pytest.fixture
    def address(self, tmp_path: Path) -> tuple[Path, str | None]:
        raise NotImplementedError

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

    def test_experiments_are_listed_newest_first_and_found_by_key_or_name(self, store: Store) -> None:
        assert store.list_experiments() == []
        made = [
            new_experiment(store, name, key, at)
            for name, key, at in [("a", "k1", "2024-01-01"), ("b", "k2", "2024-01-03"), ("a", "k3", "2024-01-02")]
        ]
        first, other, second = made
        assert store.list_experiments() == [other, second, first]
        assert store.list_experiments("a") == [second, first]
        assert store.list_experiments("a", limit=1) == [second]
        assert store.list_experiments("c") == []
        assert store.get_experiment("k1") == first
        assert store.get_experiment("a") == second
        assert store.get_experiment("b/k2") == other

    def test_what_is_no_record_of_an_experiment_is_left_out(self, store: Store) -> None:
        good = new_experiment(store, "a", "k1", "2024-01-01")
        texts = {"killed": None, "torn": '{"name": "a", "ke', "other": '["a"]', "old": '{"name": "a"}'}
        for key, text in texts.items():
            folder = store.create_experiment_folder("a", key)
            if text is not None:
                (folder / "experiment.json").write_text(text)
        assert store.list_experiments() == [good]

    def test_an_experiment_that_is_not_there_is_said_with_near_names(self, store: Store) -> None:
        new_experiment(store, "triage", "k1", "2024-01-01")
        with pytest.raises(NotFound, match="no experiment 'triag'") as raised:
            store.get_experiment("triag")
        assert "triage" in (raised.value.hint or "")

    def test_a_key_of_several_experiments_is_not_guessed(self, store: Store) -> None:
        made = [new_experiment(store, name, "same", "2024-01-01") for name in "ab"]
        with pytest.raises(Conflict, match="Several"):
            store.get_experiment("same")
        assert store.get_experiment("b/same") == made[1]

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

    def test_a_hold_keeps_others_off(self, store: Store) -> None:
        assert not store.is_held("r")
        with store.hold("r") as mine:
            assert store.is_held("r")
            made = store.create_run(new_run("r"))
            with pytest.raises(Conflict, match="is running"), store.hold("r"):
                raise AssertionError
            mine.require_held()
            assert store.get_run("r").status == "running"
            assert [run.status for run in store.list_runs(RunQuery(status="running"))] == ["running"]
            store.save_run(replace(made, status="completed"))
        assert not store.is_held("r")
        with store.hold("r"):
            pass
        assert store.get_run("r").path.is_dir()

    @pytest.mark.parametrize("name", ["../r", "..", "a/b", "", "/etc", "a\0b"])
    def test_what_cannot_be_a_name_is_not_held(self, store: Store, name: str) -> None:
        assert not store.is_held(name)
        with pytest.raises(NotFound), store.hold(name):
            raise AssertionError

    def test_a_deleted_run_takes_its_hold_along(self, store: Store) -> None:
        made = store.create_run(new_run("r"))
        store.delete_run("r")
        with pytest.raises(NotFound):
            store.save_run(replace(made, status="completed"))
        with store.hold("r") as mine:
            store.create_run(new_run("r"))
            mine.require_held()

    def test_a_killed_process_leaves_a_canceled_run(self, store: Store, address: tuple[Path, str | None]) -> None:
        with self._process(HOLDER, [str(address[0]), address[1]]) as holder:
            assert holder.stdout is not None
            assert holder.stdout.readline() == "held\n"
            made = store.create_run(new_run("r", lines=LineCounts(5)))
            ended = [(0, "failed"), (1, "failed"), (2, "completed"), (10**12, "completed"), (0, "completed")]
            lines = [{"line_number": number, "status": status} for number, status in ended]
            torn = '{"line_number": 3, "status": "compl'
            made.lines_path.write_text("".join(json.dumps(line) + "\n" for line in [*lines, {"odd": 1}]) + torn)
            assert store.get_run("r").status == "running"
            with pytest.raises(Conflict, match=f"held by process {holder.pid}"):
                store.delete_run("r")
            holder.kill()
            holder.wait()
        assert not store.is_held("r")
        assert store.list_runs(RunQuery(status="running")) == []
        (found,) = store.list_runs(RunQuery(status="canceled"))
        assert found == store.get_run("r")
        assert (found.status, found.lines) == ("canceled", LineCounts(5, 3, 1))
        with store.hold("r"):
            store.save_run(made)
            assert store.get_run("r").status == "running"

    def test_a_newer_record_is_never_replaced_by_what_was_found_killed(self, store: Store) -> None:
        made = store.create_run(new_run("busy"))
        stop = threading.Event()

        def look() -> None:
            while not stop.is_set():
                store.list_runs()

        with ThreadPoolExecutor(2) as threads:
            looking = [threads.submit(look) for _ in range(2)]
            for number in range(40):
                store.save_run(replace(made, metrics={"n": number}))
            stop.set()
            for each in looking:
                each.result()
        assert store.get_run("busy").metrics == {"n": 39}

    def test_many_processes_write_at_once(self, store: Store, address: tuple[Path, str | None]) -> None:
        writers = [
            self._process(WRITER, [str(address[0]), address[1], number, self.writes]) for number in range(WRITERS)
        ]
        try:
            assert [writer.communicate(timeout=120) for writer in writers] == [("", "")] * WRITERS
        finally:
            for writer in writers:
                writer.kill()
        assert len(store.list_runs(RunQuery(status="completed"))) == WRITERS * self.writes
        assert len(store.list_runs(RunQuery(tags={"n": "3"}))) == self.writes
        pages = [store.list_runs(RunQuery(limit=50, offset=start)) for start in range(0, WRITERS * self.writes, 50)]
        assert [run.name for page in pages for run in page] == sorted(run.name for run in store.list_runs())

    def test_queries_find_what_a_plain_filter_finds(self, store: Store) -> None:
        @settings(max_examples=self.examples, deadline=None)
        @given(runs=RUNS, queries=st.lists(QUERIES, min_size=4, max_size=8))
        def check(runs: list[RunRecord], queries: list[RunQuery]) -> None:
            for old in store.list_runs():
                store.delete_run(old.name)
            kept = [store.create_run(run) for run in runs]
            for query in queries:
                assert list(store.list_runs(query)) == plain_list(kept, query)

        check()

    def _process(self, code: str, words: list[object]) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-c", code, json.dumps(words)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
