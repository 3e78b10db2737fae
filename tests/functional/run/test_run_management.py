"""Finding runs among many, looking at their last lines, comparing them, and the store they are in."""

from __future__ import annotations

import json
import shutil
import signal
import sqlite3
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from functional_helper import ECHO_TOOL, Project, ending, one_node_flow, start_flowyard

PICKY = ECHO_TOOL.replace("    return x", "    if x == 'bad':\n        raise ValueError('no')\n    return x.upper()")
LOGS = (
    "from promptflow.core import log_metric, tool\n\n\n@tool\ndef total(xs: list):\n    log_metric('count', len(xs))\n"
)
COUNTED = """\
inputs:
  x: {type: string}
outputs:
  out: {type: string, reference: "${work.output}"}
nodes:
- name: work
  type: python
  source: {type: code, path: work.py}
  inputs: {x: "${inputs.x}"}
- name: total
  type: python
  aggregation: true
  source: {type: code, path: total.py}
  inputs: {xs: "${work.output}"}
"""
WAITING = """\
import time
from pathlib import Path

from promptflow.core import tool


@tool
def work(x: int):
    while x == 4 and not Path(__file__).with_name("go").exists():
        time.sleep(0.01)
    return x
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Three runs of two flows: ``a`` and ``b`` differ in lines 1 and 2, ``other`` is tagged and archived."""
    folder = tmp_path_factory.mktemp("management")
    (folder / "project").mkdir()
    project = Project(folder / "project", folder / "home")
    project.flow("picky", COUNTED, work_py=PICKY, total_py=LOGS)
    project.echo_flow()
    project.jsonl("one.jsonl", [{"x": "a"}, {"x": "b"}])
    project.jsonl("two.jsonl", [{"x": "a"}, {"x": "bad"}, {"x": "[red]c"}])
    for flow, data, name, code in (("picky", "one", "a", 0), ("picky", "two", "b", 1), ("echo", "one", "other", 0)):
        tags = ["--set", "tags.kind=nightly", f"tags.n={name}"] if name != "a" else []
        words = ["--flow", flow, "--data", f"{data}.jsonl", "--name", name, *tags]
        project.run("run", "create", *words, code=code)
    project.run("run", "archive", "-n", "other")
    return project


@pytest.fixture
def three(made: Project, tmp_path: Path) -> Project:
    """The same runs in a home of this test's own."""
    return Project(made.root, Path(shutil.copytree(made.home, tmp_path / "home")))


def names(project: Project, *words: str) -> list[str]:
    return [run["name"] for run in project.json("run", "list", *words)]


def test_runs_are_found_by_what_they_are(three: Project):
    assert names(three) == ["b", "a"]
    assert names(three, "--tag", "kind=nightly", "--include-archived") == ["other", "b"]
    assert names(three, "--tag", "kind=nightly", "--tag", "n=b") == ["b"]
    assert names(three, "--flow", "picky", "--name", "[ab]") == []
    assert names(three, "--flow", "./picky/flow.dag.yaml", "--name", "?", "-r", "1") == ["b"]
    assert names(three, "--flow", "echo", "--archived-only", "--since", "1h") == ["other"]
    assert names(three, "--status", "failed") == names(three, "--since", "2999-01-01") == []
    assert "fit" in three.run("run", "list", "--name", "nothing").stdout
    assert "--include-archived" in three.run("run", "list", "--flow", "echo").stdout
    assert "is no time" in three.run("run", "list", "--since", "soon", code=2).stderr
    long = "a_run_whose_name_is_as_long_as_those_that_experiments_give_to_theirs_20261122"
    three.run("run", "create", "--flow", "echo", "--data", "one.jsonl", "--name", long)
    assert long in three.run("run", "list", env={"COLUMNS": "80"}).stdout, "on one line, to be copied"


def test_the_last_lines_are_shown_and_followed(project: Project):
    flow = project.flow("slow", one_node_flow({"x": "int"}), work_py=WAITING)
    data = project.jsonl("data.jsonl", [{"x": number} for number in range(6)])
    words = ["--flow", flow, "--data", data, "--name", "slow", "--concurrency", "1", "--home", project.home]
    with ending(start_flowyard("run", "create", *words, cwd=project.root)) as maker:
        lines = project.home / "runs" / "slow" / "lines.jsonl"
        until = time.monotonic() + 60
        while not lines.exists() or lines.read_bytes().count(b"\n") < 4:
            assert maker.poll() is None
            assert time.monotonic() < until
            time.sleep(0.01)
        assert [line["line_number"] for line in project.json("run", "tail", "-n", "slow", "-l", "2")] == [2, 3]
        assert names(project, "--status", "running") == ["slow"]
        tail = ["run", "tail", "-n", "slow", "-l", "1", "--follow", "--json", "--home", project.home]
        with ending(start_flowyard(*tail, cwd=project.root, stdout=subprocess.PIPE)) as follower:
            assert follower.stdout is not None
            with follower.stdout as printed:
                assert json.loads(printed.readline())["line_number"] == 3
                project.write(f"{flow}/go", "")
                assert [json.loads(line)["line_number"] for line in printed] == [4, 5]
            assert follower.wait(timeout=60) == 0
        assert maker.wait(timeout=60) == 0
    text = project.run("run", "tail", "-n", "slow").stdout.splitlines()
    assert len(text) == 6
    assert text[-1].startswith("line 5 completed in ")
    assert project.json("run", "tail", "-n", "slow", "-l", "0") == []
    assert "There is no run" in project.run("run", "tail", "-n", "slwo", code=2).stderr


def test_two_runs_are_compared(three: Project):
    found: dict[str, Any] = three.json("run", "compare", "a", "b")
    assert [run["name"] for run in found["runs"]] == ["a", "b"]
    assert found["metrics"] == {"count": {"a": 2, "b": 2}}
    assert found["lines"] == {"compared": 3, "same": 1, "different": 2}
    first, second = found["different"]
    assert (first["line_number"], first["inputs"]) == (1, {"x": "b"})
    assert first["results"]["a"] == {"status": "completed", "outputs": {"out": "B"}, "error": None}
    assert first["results"]["b"]["error"]["message"].endswith("no")
    assert second["results"]["a"] is None
    done = three.run("run", "compare", "a", "b", "--max-lines", "1", env={"COLUMNS": "80"})
    assert "2 of 3 lines differ" in done.stdout
    assert "B  failed: " in done.stdout
    assert "… and 1 more" in done.stdout
    assert "different data" in done.stderr
    assert all(len(line) <= 80 for line in done.stdout.splitlines())
    assert "[RED]C" in three.run("run", "compare", "b", "other").stdout
    assert "no two runs" in three.run("run", "compare", "a", "a", code=2).stderr


def test_evaluations_are_metrics_of_their_base_runs(three: Project):
    for base in ("a", "b"):
        mapping = ["--column-mapping", "x=${run.outputs.out}"]
        words = ["--flow", "picky", "--data", "two.jsonl", "--run", base, *mapping, "--name", f"score_{base}"]
        three.run("run", "create", *words, code=None)
    found = three.json("run", "compare", "a", "b", "score_a", "score_b")
    assert [run["name"] for run in found["runs"]] == ["a", "b"]
    assert found["metrics"]["picky.count"] == {"a": 2, "b": 2}


def test_the_store_says_where_it_is(three: Project):
    shown = three.json("store", "show")
    assert shown["database"] == str(three.home / "flowyard.db")
    assert (shown["kind"], shown["version"], shown["runs"]) == ("sqlite", shown["known_version"], {"completed": 3})
    assert "3 (3 completed)" in three.run("store", "show").stdout
    (three.home / "flowyard.db").unlink()
    (three.home / "runs" / "b" / "run.json").write_text("{")
    taken = three.json("store", "migrate")
    assert (taken["version_before"], taken["taken_in"], taken["left_out"]) == (0, 2, ["b"])
    done = three.run("run", "list")
    assert "runs/b" in done.stderr.replace("\\", "/")


def test_a_store_that_cannot_be_used_is_one_screen_and_exit_5(three: Project):
    file = three.home / "flowyard.db"
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute("INSERT INTO flowyard_schema (version) VALUES (99)")
    words = ["--flow", "echo", "--data", "one.jsonl"]
    assert "newer flowyard" in three.run("run", "create", *words, code=5).stderr
    assert "newer than this flowyard" in three.run("store", "show").stdout
    file.write_bytes(b"rubbish" * 1000)
    assert "damaged" in three.run("run", "show", "-n", "a", code=5).stderr
    assert (
        "Traceback" not in three.run("run", "list", code=5, env={"FLOWYARD_STORE": "postgresql://127.0.0.1:1/x"}).stderr
    )
    assert "none that flowyard knows" in three.run("run", "list", code=2, env={"FLOWYARD_STORE": "x:pw@y"}).stderr


def test_one_name_is_run_once_however_many_try(project: Project):
    flow = project.echo_flow()
    data = project.jsonl("data.jsonl", [{"x": "a"}])
    words = ["run", "create", "--flow", flow, "--data", data, "--name", "mine"]
    with ThreadPoolExecutor(3) as threads:
        codes = list(threads.map(lambda _: project.run(*words, code=None).returncode, range(3)))
    assert sorted(codes) == [0, 2, 2]
    assert len(project.lines(project.json("run", "show", "-n", "mine"))) == 1


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="signals")
def test_runs_are_kept_in_postgresql(project: Project, postgres_url: str):
    env = {"FLOWYARD_STORE": postgres_url}
    project.flow("picky", COUNTED, work_py=PICKY, total_py=LOGS)
    data = project.jsonl("data.jsonl", [{"x": "a"}, {"x": "bad"}])
    project.run("run", "create", "--flow", "picky", "--data", data, "--name", "r", "--set", "tags.k=v", code=1, env=env)
    (run,) = project.json("run", "list", "--tag", "k=v", env=env)
    assert (run["status"], run["lines"]) == ("completed", {"total": 2, "completed": 1, "failed": 1})
    shown = project.json("store", "show", env=env)
    assert (shown["kind"], shown["runs"]) == ("postgresql", {"completed": 1})
    assert "@" not in shown["database"]
    assert not (project.home / "flowyard.db").exists()
    assert json.loads((Path(run["path"]) / "run.json").read_text())["name"] == "r"
    project.run("run", "delete", "-n", "r", "-y", env=env)
    assert project.json("run", "list", env=env) == []


def test_the_stores_url_is_a_setting_without_a_password(project: Project):
    said = project.run("config", "set", "store.url=postgresql://u:geheim@h/d", code=2).stderr
    assert "PGPASSWORD" in said
    assert "geheim" not in said
    assert "flowyard knows" in project.run("config", "set", "store.url=mysql://h/d", code=2).stderr
    project.run("config", "set", "store.url=postgresql://nobody@127.0.0.1:1/d")
    assert "127.0.0.1:1" in project.run("run", "list", code=5).stderr
