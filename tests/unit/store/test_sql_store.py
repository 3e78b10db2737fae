"""The files of a store, and what it says when something outside is wrong."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from flowyard.errors import Conflict, StoreError, UserError
from flowyard.records import ExperimentRecord, LineCounts, RunQuery, RunRecord
from flowyard.store import SqlStore
from flowyard.store.run_json import run_to_json
from flowyard.store.schema import MIGRATIONS, migrate, schema_version
from flowyard.store.sqlite import SqliteDatabase


def run(name: str, **changes: object) -> RunRecord:
    return replace(RunRecord(name, "running", "flow.dag.yaml", Path(), created_at="2024-01-01"), **changes)  # type: ignore[arg-type]


def old_run(home: Path, name: str, text: str | None = None, **changes: object) -> Path:
    """A run as it was kept before there was a database."""
    folder = home / "runs" / name
    folder.mkdir(parents=True)
    (folder / "run.json").write_text(run_to_json(run(name, **changes)) if text is None else text)
    return folder


def kill_database(home: Path) -> None:
    for file in home.glob("flowyard.db*"):
        file.unlink()


def test_a_home_can_be_moved(tmp_path: Path) -> None:
    SqlStore(tmp_path / "a").create_run(run("r"))
    shutil.move(tmp_path / "a", tmp_path / "b")
    assert SqlStore(tmp_path / "b").get_run("r").path == tmp_path / "b" / "runs" / "r"
    assert "path" not in json.loads((tmp_path / "b/runs/r/run.json").read_text())


def test_nothing_is_made_before_the_first_write(tmp_path: Path) -> None:
    store = SqlStore(tmp_path / "home")
    assert list(store.list_runs()) == []
    assert not store.is_held("r")
    assert store.status().version == 0
    assert not (tmp_path / "home").exists()


def test_a_person_can_read_the_record_in_the_runs_folder(tmp_path: Path) -> None:
    store = SqlStore(tmp_path)
    made = store.create_run(run("r"))
    assert json.loads((made.path / "run.json").read_text())["status"] == "running"
    store.save_run(replace(made, status="completed", metrics={"a": 1}))
    assert json.loads((made.path / "run.json").read_text())["metrics"] == {"a": 1}
    assert [file.name for file in made.path.iterdir()] == ["run.json"]


def test_runs_of_before_are_taken_in_once(tmp_path: Path) -> None:
    old_run(tmp_path, "done", status="completed", tags={"a": "b"})
    killed = old_run(tmp_path, "killed", lines=LineCounts(4))
    (killed / "owner.pid").write_text("1")
    (killed / "lines.jsonl").write_text('{"line_number": 0, "status": "completed"}\n{"line_number": 1, "st')
    for number, text in enumerate(["", "{", "[]", '{"name": "r"}', '{"lines": 3}']):
        old_run(tmp_path, f"bad{number}", text)
    store = SqlStore(tmp_path)
    assert [each.name for each in store.list_runs(RunQuery(tags={"a": "b"}))] == ["done"]
    assert (store.get_run("killed").status, store.get_run("killed").lines) == ("canceled", LineCounts(4, 1, 0))
    assert [folder.name for folder in store.unreadable_runs()] == [f"bad{number}" for number in range(5)]
    with pytest.raises(Conflict, match="already exists"):
        store.create_run(run("bad0"))

    old_run(tmp_path, "late", status="completed")
    (tmp_path / "runs/bad0/run.json").write_text(run_to_json(run("bad0", status="failed")))
    assert len(store.list_runs()) == 2
    taken = store.migrate()
    assert (taken.count, taken.left_out) == (2, ("bad1", "bad2", "bad3", "bad4"))
    assert store.get_run("late").status == "completed"
    assert store.migrate().count == 0


def test_a_database_that_is_gone_is_made_again_from_the_folders(tmp_path: Path) -> None:
    store = SqlStore(tmp_path)
    made = store.create_run(run("r"))
    with store.hold("r"):
        kill_database(tmp_path)
        assert store.get_run("r").status == "running"
        kill_database(tmp_path)
        store.save_run(replace(made, status="completed"))
    assert [each.status for each in store.list_runs()] == ["completed"]


def test_a_record_of_another_run_is_not_taken_in(tmp_path: Path) -> None:
    old_run(tmp_path, "copy", run_to_json(run("original")))
    store = SqlStore(tmp_path)
    assert list(store.list_runs()) == []
    assert [folder.name for folder in store.unreadable_runs()] == ["copy"]


def test_tables_of_a_newer_version_are_refused(tmp_path: Path) -> None:
    store = SqlStore(tmp_path)
    made = store.create_run(run("r"))
    with closing(sqlite3.connect(tmp_path / "flowyard.db", isolation_level=None)) as connection:
        connection.execute("INSERT INTO flowyard_schema (version) VALUES (99)")
    for doing in (store.list_runs, lambda: store.save_run(made), store.migrate, lambda: store.create_run(run("s"))):
        with pytest.raises(StoreError, match=r"newer flowyard: its tables have version 99") as caught:
            doing()
        assert "pip install --upgrade" in str(caught.value.hint)
    assert not (tmp_path / "runs" / "s").exists()
    assert store.status().version == 99


def test_exposures_of_before_were_assigned_to_the_arm_that_answered(tmp_path: Path) -> None:
    database = SqliteDatabase(tmp_path / "some.db")
    before = next(number for number, each in enumerate(MIGRATIONS) if "ADD COLUMN assigned " in each[0])
    database.write(lambda session: migrate(session, database, MIGRATIONS[:before]))
    texts = dict.fromkeys(("experiment", "unit", "request_id", "trace_id", "chosen_by", "record"), "x")
    numbers = dict.fromkeys(("at_ms", "epoch", "status", "failed", "mirror"), 0)
    row = {"id": "one", "arm": "a", "version": "7", **texts, **numbers}
    marks = ", ".join("?" * len(row))
    sql = f"INSERT INTO flowyard_production_exposures ({', '.join(row)}) VALUES ({marks})"
    database.write(lambda session: session.execute(sql, list(row.values())))
    database.write(lambda session: migrate(session, database))
    asked = "SELECT assigned, assigned_version FROM flowyard_production_exposures"
    assert database.read(lambda session: session.execute(asked).fetchall()) == [("a", "7")]


def test_an_older_version_is_brought_up_in_one_transaction(tmp_path: Path) -> None:
    database = SqliteDatabase(tmp_path / "some.db")
    first = (*MIGRATIONS, ("CREATE TABLE more (a {text})", "INSERT INTO more VALUES ('x')"))
    assert database.write(lambda session: migrate(session, database)) == len(MIGRATIONS)
    with pytest.raises(StoreError, match="cannot be read or written"):
        database.write(lambda session: migrate(session, database, (*first, ("CREATE TABLE more (again {text})",))))
    assert database.read(lambda session: schema_version(session, database)) == len(MIGRATIONS)
    assert database.write(lambda session: migrate(session, database, first)) == 1
    assert database.read(lambda session: session.execute("SELECT a FROM more").fetchall()) == [("x",)]
    assert database.write(lambda session: migrate(session, database, first)) == 0


@pytest.mark.parametrize("content", [b"this is no database" * 100, b"SQLite format 3\0" + b"\xff" * 4000])
def test_a_damaged_file_says_what_to_do(tmp_path: Path, content: bytes) -> None:
    store = SqlStore(tmp_path)
    store.save_run(replace(store.create_run(run("r")), status="completed"))
    kill_database(tmp_path)
    (tmp_path / "flowyard.db").write_bytes(content)
    with pytest.raises(StoreError, match=r"flowyard\.db") as caught:
        store.list_runs()
    assert "run.json" in str(caught.value.hint)
    (tmp_path / "flowyard.db").rename(tmp_path / "away")
    assert [each.status for each in store.list_runs()] == ["completed"]


def test_a_damaged_record_says_which(tmp_path: Path) -> None:
    store = SqlStore(tmp_path)
    store.create_run(run("r"))
    with closing(sqlite3.connect(tmp_path / "flowyard.db", isolation_level=None)) as connection:
        connection.execute("UPDATE flowyard_runs SET record = '{}'")
    with pytest.raises(StoreError, match="record of run 'r'"):
        store.get_run("r")


def test_a_home_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="Cannot write") as caught:
        SqlStore(tmp_path / "file").create_run(run("r"))
    assert "--home" in str(caught.value.hint)


FULL_DISK = """\
import resource, sys
from dataclasses import replace
from pathlib import Path
from flowyard.errors import StoreError
from flowyard.records import RunRecord
from flowyard.store import SqlStore

store = SqlStore(Path(sys.argv[1]))
made = store.create_run(RunRecord("r", "running", "f", Path(), created_at="2024"))
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))
changes = (lambda: store.save_run(replace(made, status="completed")), lambda: store.create_run(replace(made, name="s")))
for change in changes:
    try:
        change()
    except StoreError as error:
        print(type(error).__name__, error.exit_code, "locked" in str(error))
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
store.save_run(replace(made, status="completed"))
print([each.status for each in store.list_runs()], sorted(file.name for file in (store.home / "runs").iterdir()))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="limits of processes")
def test_a_disk_that_takes_no_more_leaves_what_was_there(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", FULL_DISK, tmp_path], capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert done.stdout.splitlines() == ["StoreError 5 False", "StoreError 5 False", "['completed'] ['r']"]


READ_ONLY = """\
import os, sys
from dataclasses import replace
from pathlib import Path
from flowyard.errors import StoreError
from flowyard.records import RunQuery
from flowyard.store import SqlStore, sqlite  # before the rights to read them are given away

if os.geteuid() == 0:
    os.setgid(65534)
    os.setuid(65534)
store = SqlStore(Path(sys.argv[1]))
print([each.status for each in store.list_runs()], len(store.list_runs(RunQuery(status="canceled"))))
found = store.get_run("r")
for change in (lambda: store.save_run(found), lambda: store.create_run(replace(found, name="s"))):
    try:
        change()
    except StoreError as error:
        print(error.exit_code, "locked" in str(error))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="permissions")
def test_a_store_that_can_only_be_read_is_read() -> None:
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        made = SqlStore(home).create_run(run("r"))
        for each in (home, home / "runs", made.path):
            each.chmod(0o555)
        for each in (home / "flowyard.db", made.path / "run.json"):
            each.chmod(0o444)
        done = subprocess.run([sys.executable, "-c", READ_ONLY, home], capture_output=True, text=True, check=False)
        for each in (home, home / "runs", made.path):
            each.chmod(0o755)
    assert done.stderr == ""
    assert done.stdout.splitlines() == ["['canceled'] 1", "5 False", "5 False"]


def test_what_others_write_is_waited_for(tmp_path: Path) -> None:
    """A writer that takes longer than SQLite itself would wait is no error."""
    store = SqlStore(tmp_path)
    made = store.create_run(run("r"))
    code = (
        "import sqlite3, sys\n"
        "connection = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
        "connection.execute('BEGIN EXCLUSIVE')\n"
        "print('locked', flush=True)\n"
        "sys.stdin.read(1)\n"
        "connection.execute('COMMIT')\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, tmp_path / "flowyard.db"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as writer:
        assert writer.stdout is not None
        assert writer.stdin is not None
        assert writer.stdout.readline() == b"locked\n"
        writer.stdin.write(b"x")
        writer.stdin.flush()
        store.save_run(replace(made, status="completed"))
    assert store.get_run("r").status == "completed"


@pytest.mark.parametrize("url", ["mysql://u:geheim@h/d", "postgresql", "geheim", "sqlite:///x"])
def test_a_url_that_no_database_has(tmp_path: Path, url: str) -> None:
    with pytest.raises(UserError) as caught:
        SqlStore(tmp_path, url)
    assert "geheim" not in f"{caught.value} {caught.value.hint}"


def test_an_experiment_is_stored_with_its_runs(tmp_path: Path) -> None:
    store = SqlStore(tmp_path)
    made = store.create_run(run("r"))
    folder = store.create_experiment_folder("e", "k")
    record = ExperimentRecord("e", "k", folder, "2024", "dev", (made,), {"r": {"n": "a"}}, {"x": ("grade", "r")})
    store.save_experiment(record)
    body = json.loads((folder / "experiment.json").read_text())
    assert (body["name"], body["env"], body["simulated"]) == ("e", "dev", False)
    assert [each["name"] for each in body["runs"]] == ["r"]
    assert (body["variants"], body["evaluations"]) == ({"r": {"n": "a"}}, {"x": ["grade", "r"]})
