"""What a store in PostgreSQL does besides the contract."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import pytest

from flowyard.errors import Conflict, ExitCode, StoreError
from flowyard.records import RunRecord
from flowyard.store import SqlStore


def run(name: str) -> RunRecord:
    return RunRecord(name, "running", "flow.dag.yaml", Path(), created_at="2024-01-01")


def test_homes_share_a_database_and_each_run_keeps_its_folder(tmp_path: Path, postgres_url: str) -> None:
    one, two = (SqlStore(tmp_path / name, postgres_url) for name in ("one", "two"))
    made = one.create_run(run("r"))
    assert two.get_run("r").path == made.path == tmp_path / "one" / "runs" / "r"
    with pytest.raises(Conflict):
        two.create_run(run("r"))
    assert not (tmp_path / "two" / "runs" / "r").exists()
    with one.hold("r"):
        assert two.is_held("r")
        with pytest.raises(Conflict), two.hold("r"):
            raise AssertionError
    two.delete_run("r")
    assert list(one.list_runs()) == []
    assert not made.path.exists()


def test_a_folder_that_is_not_here_says_nothing_about_its_run(tmp_path: Path, postgres_url: str) -> None:
    far = SqlStore(tmp_path / "far", postgres_url)
    far.create_run(run("r"))
    (tmp_path / "far").rename(tmp_path / "unmounted")
    near = SqlStore(tmp_path / "near", postgres_url)
    assert near.get_run("r").status == "running"
    assert [each.status for each in near.list_runs()] == ["running"]
    with pytest.raises(Conflict, match="another machine"), near.hold("r"):
        raise AssertionError
    near.save_run(replace(near.get_run("r"), description="seen from afar"))
    assert not (tmp_path / "far").exists()


def test_only_a_runs_folder_is_deleted(tmp_path: Path, postgres_url: str) -> None:
    store = SqlStore(tmp_path / "one", postgres_url)
    made = store.create_run(run("r"))
    (made.path / "run.json").unlink()
    (made.path / "precious").touch()
    with pytest.raises(StoreError, match="no folder of a run"):
        SqlStore(tmp_path / "two", postgres_url).delete_run("r")
    assert (made.path / "precious").exists()
    store.delete_run("r")
    assert not made.path.exists()


def test_folders_of_each_home_are_taken_in(tmp_path: Path, postgres_url: str) -> None:
    for home in ("one", "two"):
        store = SqlStore(tmp_path / home)
        store.save_run(replace(store.create_run(run(f"in-{home}")), status="completed"))
    assert [each.name for each in SqlStore(tmp_path / "one", postgres_url).list_runs()] == ["in-one"]
    assert [each.name for each in SqlStore(tmp_path / "two", postgres_url).list_runs()] == ["in-one", "in-two"]


def test_no_message_has_the_password(tmp_path: Path, postgres_address: str) -> None:
    word = "ge/he:im@ß"
    wrong = f"postgresql://tester:{quote(word, safe='')}@{postgres_address}/postgres"
    gone = f"postgresql://tester@127.0.0.1:1/x?password={quote(word, safe='')}"
    odd = f"postgresql://tester:{quote(word, safe='')}@{postgres_address}/postgres?nonsense=1"
    for url in (wrong, gone, odd):
        store = SqlStore(tmp_path, url)
        with pytest.raises(StoreError) as caught:
            store.list_runs()
        said = f"{caught.value} {caught.value.hint}"
        assert caught.value.exit_code == ExitCode.OUTSIDE_FAILED
        assert word not in said
        assert quote(word, safe="") not in said
        assert caught.value.__cause__ is None


def test_without_psycopg_the_hint_installs_it(tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['psycopg'] = None\n"
        "from pathlib import Path\n"
        "from flowyard.errors import ExtraMissing\n"
        "from flowyard.store import SqlStore\n"
        "try: SqlStore(Path(sys.argv[1]), 'postgresql://h/d').list_runs()\n"
        "except ExtraMissing as error: print(error.hint)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path], capture_output=True, text=True, check=True, env=dict(os.environ)
    )
    assert done.stdout.strip() == "pip install 'flowyard[postgres]'"
