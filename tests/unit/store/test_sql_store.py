from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from flowyard.errors import StoreError
from flowyard.records import ExperimentRecord, RunRecord
from flowyard.store import SqlStore


def run(name: str) -> RunRecord:
    return RunRecord(name, "running", "flow.dag.yaml", Path(), created_at="2024-01-01")


def test_a_home_can_be_moved(tmp_path: Path) -> None:
    SqlStore(tmp_path / "a").create_run(run("r"))
    shutil.move(tmp_path / "a", tmp_path / "b")
    assert SqlStore(tmp_path / "b").get_run("r").path == tmp_path / "b" / "runs" / "r"
    assert "path" not in json.loads((tmp_path / "b/runs/r/run.json").read_text())


def test_nothing_is_made_before_the_first_write(tmp_path: Path) -> None:
    store = SqlStore(tmp_path / "home")
    assert list(store.list_runs()) == []
    assert not (tmp_path / "home").exists()


def test_a_run_that_nobody_holds_is_canceled(tmp_path: Path) -> None:
    store = SqlStore(tmp_path)
    with store.hold("r"):
        made = store.create_run(run("r"))
        assert store.get_run("r").status == "running"
    assert store.get_run("r").status == "canceled"
    store.save_run(replace(made, status="completed"))
    assert store.get_run("r").status == "completed"


@pytest.mark.parametrize("text", ["", "{", "[]", '{"name": "r"}', '{"lines": 3}'])
def test_a_damaged_record_says_which(tmp_path: Path, text: str) -> None:
    made = SqlStore(tmp_path).create_run(run("r"))
    (made.path / "run.json").write_text(text)
    with pytest.raises(StoreError, match=r"run\.json"):
        SqlStore(tmp_path).get_run("r")


def test_a_home_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="Cannot write") as caught:
        SqlStore(tmp_path / "file").create_run(run("r"))
    assert "--home" in str(caught.value.hint)


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
