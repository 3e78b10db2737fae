"""The verbs of ``flowyard run`` beside create: what they change, what they refuse, and what they leave alone."""

from __future__ import annotations

import json
import os
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from functional_helper import ECHO_TOOL, PATIENCE_S, Project, ending, one_node_flow, read_jsonl, start_flowyard

PICKY = ECHO_TOOL.replace("    return x", "    if x == 'bad':\n        raise ValueError('no')\n    return x.upper()")
SAME = ECHO_TOOL.replace("(x: str)", "(x, y)").replace("return x", "return x == y.upper()")
SLOW = """\
import time
from pathlib import Path

from promptflow.core import tool


@tool
def work(x: int):
    if x == 4:
        while not Path(__file__).with_name("go").exists():
            time.sleep(0.01)
    return x
"""


@pytest.fixture
def two(project: Project) -> Project:
    """Two runs over three lines, one of which fails in both."""
    flow = project.flow("picky", one_node_flow({"x": "string"}), work_py=PICKY)
    data = project.jsonl("data.jsonl", [{"x": "a"}, {"x": "bad"}, {"x": "c"}])
    for name in ("first", "second"):
        project.json("run", "create", "--flow", flow, "--data", data, "--name", name, code=1)
    return project


def names(project: Project, *args: str) -> list[str]:
    return [run["name"] for run in project.json("run", "list", *args)]


def test_update_changes_labels_only(two: Project):
    before = two.json("run", "show", "-n", "first")
    labels = ["display_name=A title", "description=why", "tags.a=1", "tags.b=2"]
    after = two.json("run", "update", "-n", "first", "--set", *labels)
    assert (after["display_name"], after["description"]) == ("A title", "why")
    assert after["tags"] == {"a": "1", "b": "2"}
    changed = {key for key in before if before[key] != after[key]}
    assert changed == {"display_name", "description", "tags"}
    assert two.json("run", "update", "-n", "first", "--set", "tags.a=")["tags"] == {"b": "2"}
    assert "A title" in two.run("run", "list").stdout


@pytest.mark.parametrize(
    ("setting", "said"), [("status=failed", "cannot be changed"), ("displayname=x", "Did you mean 'display_name'")]
)
def test_update_refuses_what_is_no_label(two: Project, setting: str, said: str):
    record = two.home / "runs" / "first" / "run.json"
    before = record.read_bytes()
    assert said in two.run("run", "update", "-n", "first", "--set", setting, code=2).stderr
    assert record.read_bytes() == before


def test_archived_runs_are_left_out_until_restored(two: Project):
    two.run("run", "archive", "-n", "first")
    assert names(two) == ["second"]
    assert names(two, "--archived-only") == ["first"]
    assert names(two, "--include-archived") == ["second", "first"]
    two.run("run", "restore", "-n", "first")
    assert names(two) == ["second", "first"]
    assert names(two, "-r", "1") == ["second"]
    assert [run["name"] for run in json.loads(two.run("run", "list", "-o", "json").stdout)] == ["second", "first"]


def test_delete_asks_and_follows_no_link(two: Project, tmp_path: Path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "precious.txt").write_text("stays")
    (two.home / "runs" / "first" / "link").symlink_to(outside)
    assert "needs a yes" in two.run("run", "delete", "-n", "first", code=2).stderr
    assert names(two) == ["second", "first"]
    assert two.json("run", "delete", "-n", "first", "-y") == {"name": "first", "deleted": True}
    assert names(two) == ["second"]
    assert (outside / "precious.txt").read_text() == "stays"
    assert sorted(path.name for path in (two.home / "runs").iterdir()) == ["second"]


def test_a_run_that_is_a_link_is_not_deleted(two: Project, tmp_path: Path):
    runs = two.home / "runs"
    (runs / "first").rename(tmp_path / "moved")
    (runs / "first").symlink_to(tmp_path / "moved")
    assert "is a link" in two.run("run", "delete", "-n", "first", "-y", code=5).stderr
    assert (tmp_path / "moved" / "run.json").is_file()


@pytest.mark.parametrize("name", ["../first", "first/../second", ".."])
def test_delete_stays_in_the_home(two: Project, name: str):
    two.run("run", "delete", "-n", name, "-y", code=2)
    assert names(two) == ["second", "first"]


def test_a_running_run_is_followed_and_left_alone(project: Project):
    flow = project.flow("slow", one_node_flow({"x": "int"}), work_py=SLOW)
    data = project.jsonl("data.jsonl", [{"x": n} for n in range(6)])
    words = ["--flow", flow, "--data", data, "--name", "slow", "--concurrency", "1", "--home", project.home]
    with ending(start_flowyard("run", "create", *words, cwd=project.root)) as maker:
        lines = project.home / "runs" / "slow" / "lines.jsonl"
        while not lines.exists() or lines.read_bytes().count(b"\n") < 4:
            assert maker.poll() is None
            time.sleep(0.01)
        for verb in (["delete", "-y"], ["archive"], ["update", "--set", "description=x"], ["export", "-o", "out"]):
            assert "is running" in project.run("run", verb[0], "-n", "slow", *verb[1:], code=2).stderr
        stream = ["run", "stream", "-n", "slow", "--json", "--home", project.home]
        with ending(start_flowyard(*stream, cwd=project.root, stdout=subprocess.PIPE)) as follower:
            project.write(f"{flow}/go", "")
            shown = json.loads(follower.communicate(timeout=PATIENCE_S)[0])
            assert follower.returncode == 0
        assert maker.wait(timeout=PATIENCE_S) == 0
    assert shown["status"] == "completed"
    assert shown["lines"] == {"total": 6, "completed": 6, "failed": 0}


def test_streaming_an_ended_run_says_how_its_lines_went(two: Project):
    done = two.run("run", "stream", "-n", "first", code=1)
    assert "line 0 completed" in done.stderr
    assert "line 1 failed" in done.stderr
    assert "ValueError: no" in done.stderr


def test_visualize_makes_one_page_for_each_choice_of_runs(two: Project):
    flow = two.flow(
        "same",
        one_node_flow({"x": "string", "y": "string"}),
        work_py=SAME,
    )
    mapping = ["--column-mapping", "x=${run.outputs.out}", "y=${data.x}"]
    two.run("run", "create", "--flow", flow, "--data", "data.jsonl", "--run", "first", *mapping, "--name", "score")
    both = Path(two.json("run", "visualize", "--names", "first,second,score")["page"])
    text = both.read_text("utf-8")
    assert "run comparison" in text
    assert "2 runs × 1 dataset" in text
    assert "Against first" in text
    assert "Differences are not tested" not in text
    assert "ValueError" in text
    assert "same" in text
    assert 'http-equiv="Content-Security-Policy"' in text
    other = Path(two.json("run", "visualize", "-n", "second")["page"])
    assert other != both
    assert both.read_text("utf-8") == text
    chosen = two.run("run", "visualize", "-n", "first", "--html-path", "page.html").stdout.strip()
    assert Path(chosen) == two.root / "page.html"
    assert "Did you mean 'first'" in two.run("run", "visualize", "--names", "frist", code=2).stderr
    assert "does not exist" in two.run("run", "visualize", "-n", "first", "--html-path", "no/page.html", code=2).stderr


def exported(project: Project, name: str, folder: str = "out") -> Path:
    return Path(project.json("run", "export", "-n", name, "-o", folder)["folder"])


def test_an_export_has_prompt_flows_layout(two: Project):
    folder = exported(two, "first")
    assert read_jsonl(folder / "inputs.jsonl") == [
        {"x": value, "line_number": number} for number, value in enumerate(["a", "bad", "c"])
    ]
    assert read_jsonl(folder / "outputs.jsonl") == [{"out": "A", "line_number": 0}, {"out": "C", "line_number": 2}]
    assert read_jsonl(folder / "flow_outputs" / "output.jsonl") == read_jsonl(folder / "outputs.jsonl")
    assert json.loads((folder / "meta.json").read_text()) == {"batch_size": 1}
    assert json.loads((folder / "metrics.json").read_text()) == {}
    (line,) = read_jsonl(folder / "flow_artifacts" / "000000002_000000002.jsonl")
    assert (line["line_number"], line["status"], line["run_info"]["output"]) == (2, "Completed", {"out": "C"})
    (node,) = read_jsonl(folder / "node_artifacts" / "work" / "000000001.jsonl")
    assert (node["NodeName"], node["run_info"]["status"], node["run_info"]["index"]) == ("work", "Failed", 1)
    error: Any = json.loads((folder / "error.json").read_text())
    assert error["message"] == (
        "Failed to run 1/3 lines. First error message is: Execution failure in 'work': (ValueError) no"
    )
    (entry,) = error["additionalInfo"][0]["info"]["errors"]
    assert entry["line_number"] == 1
    assert entry["error"]["innerError"]["code"] == "ToolExecutionError"
    assert entry["error"]["additionalInfo"][0]["info"]["type"] == "ValueError"
    assert "line 1 failed" in (folder / "logs.txt").read_text()


def test_an_export_replaces_nothing(two: Project):
    two.write("out/mine.txt", "mine")
    assert "not an empty folder" in two.run("run", "export", "-n", "first", "-o", "out", code=2).stderr
    assert [file.name for file in (two.root / "out").iterdir()] == ["mine.txt"]
    (two.root / "empty").mkdir()
    assert (exported(two, "first", "empty") / "meta.json").is_file()


def test_what_was_exported_is_registered_again(two: Project):
    two.run("run", "update", "-n", "first", "--set", "description=why", "tags.a=1")
    folder = exported(two, "first")
    again = two.json("run", "create", "--source", folder, "--name", "again", "--set", "display_name=Back", code=1)
    assert (again["display_name"], again["description"], again["tags"]) == ("Back", "why", {"a": "1"})
    assert again["lines"] == {"total": 3, "completed": 2, "failed": 1}
    assert again["source"] == str(folder)
    first, second = (two.json("run", "show-details", "-n", name) for name in ("first", "again"))
    for line, other in zip(first, second, strict=True):
        for key in ("line_number", "status", "inputs", "outputs"):
            assert line[key] == other[key]
    assert second[1]["error"]["type"] == "ValueError"
    assert (second[1]["error"]["node"], second[1]["error"]["where"]) == ("work", "work.py:7")
    third = two.json("run", "create", "--source", exported(two, "again", "out2"), "--name", "third", code=1)
    assert third["lines"] == again["lines"]


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        (
            "flow_artifacts/000000000_000000000.jsonl",
            '{"line_number": 0}',
            "flow_artifacts/000000000_000000000.jsonl:1",
        ),
        ("flow_artifacts/000000000_000000000.jsonl", "[]", "flow_artifacts/000000000_000000000.jsonl:1"),
        ("flow_artifacts/zz.jsonl", '{"line_number": 0, "run_info": {"status": "Completed"}}', "there twice"),
        ("run_metadata.json", '{"name": "../../escaped"}', "cannot be a run's name"),
        ("run_metadata.json", '{"name": "x", "status": "Running"}', "only one that has ended"),
        ("metrics.json", "{", "metrics.json"),
    ],
)
def test_a_folder_that_is_no_run_registers_nothing(two: Project, file: str, text: str, said: str):
    folder = exported(two, "first")
    (folder / file).write_text(text)
    assert said in two.run("run", "create", "--source", folder, code=2).stderr
    assert names(two) == ["second", "first"]
    assert not (two.root.parent / "escaped").exists()


def test_a_folder_without_a_run(project: Project):
    assert "holds no run" in project.rejected("run", "create", "--source", ".")
    assert "cannot be used with 'flow'" in project.rejected("run", "create", "--source", ".", "--flow", "x")


def test_no_verb_opens_a_browser_without_a_terminal(two: Project, tmp_path: Path):
    browser = tmp_path / "browser"
    browser.write_text(f"#!/bin/sh\ntouch {tmp_path}/opened\n")
    browser.chmod(0o755)
    two.run("run", "visualize", "-n", "first", env={"BROWSER": os.fspath(browser)})
    assert not (tmp_path / "opened").exists()
