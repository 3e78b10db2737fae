"""``flowyard experiment list`` and ``report``, and the reports that an experiment leaves."""

from __future__ import annotations

import csv
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from functional_helper import Project

TOOL = """\
from promptflow.core import tool


@tool
def work(x: str, mode: str):
    if mode == "strict" and x == "bad":
        raise ValueError("x is bad")
    return mode
"""
FLOW = """\
inputs:
  x: {type: string}
outputs:
  out: {type: string, reference: "${second.output}"}
nodes:
- {name: first, use_variants: true}
- {name: second, use_variants: true}
node_variants:
  first: &node
    default_variant_id: variant_0
    variants:
      variant_0:
        node: {type: python, source: {type: code, path: work.py}, inputs: {x: "${inputs.x}", mode: loose}}
      variant_1:
        node: {type: python, source: {type: code, path: work.py}, inputs: {x: "${inputs.x}", mode: strict}}
  second: *node
"""
GRADE = """\
inputs:
  out: {type: string}
outputs:
  grade: {type: string, reference: "${work.output}"}
nodes:
- name: work
  type: python
  source: {type: code, path: work.py}
  inputs: {out: "${inputs.out}"}
- name: total
  type: python
  aggregation: true
  source: {type: code, path: total.py}
  inputs: {grades: "${work.output}"}
"""
GRADE_TOOL = """\
from promptflow.core import tool


@tool
def work(out: str):
    return "Correct" if out == "loose" else "Incorrect"
"""
TOTAL = """\
from promptflow.core import log_metric, tool


@tool
def total(grades: list):
    log_metric("accuracy", grades.count("Correct") / len(grades))
"""
EXPERIMENT = """\
name: pairs
flow: flow
datasets:
  - name: rows
    source: data.jsonl
    mappings: {x: "${data.x}"}
evaluators:
  - name: grade
    flow: grade
    datasets:
      - name: rows
        mappings: {out: "${run.outputs.out}"}
"""


@dataclass(frozen=True)
class Pairs:
    """A project whose two nodes both have the variants ``variant_0`` and ``variant_1``, run twice.

    One line fails in ``variant_1``. What is in ``before`` is the first execution as it was before the second.
    """

    project: Project
    first: dict[str, Any]
    before: dict[Path, bytes]
    second: dict[str, Any]


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Pairs:
    folder = tmp_path_factory.mktemp("pairs")
    (folder / "project").mkdir()
    project = Project(folder / "project", folder / "home")
    assert "No experiments" in project.run("experiment", "list").stdout
    project.flow("flow", FLOW, work_py=TOOL)
    project.flow("grade", GRADE, work_py=GRADE_TOOL, total_py=TOTAL)
    project.write("experiment.yaml", EXPERIMENT)
    project.jsonl("data.jsonl", [{"x": "good"}, {"x": "bad"}, {"x": "=1+1"}])
    first = project.json("experiment", "run", ".", code=1)
    before = files_of(first["path"])
    return Pairs(project, first, before, project.json("experiment", "run", ".", code=1))


@pytest.fixture
def moved(pairs: Pairs, tmp_path: Path) -> Project:
    """The same project with a copy of its home elsewhere, which a test may change."""
    shutil.copytree(pairs.project.home, tmp_path / "moved")
    return Project(pairs.project.root, tmp_path / "moved")


def table(result: dict[str, Any], name: str) -> list[dict[str, str]]:
    path = next(path for path in result["reports"]["csv"] if Path(path).name == name)
    return list(csv.DictReader(Path(path).read_text(encoding="utf-8").splitlines()))


def files_of(folder: str | Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in sorted(Path(folder).rglob("*")) if path.is_file()}


def test_defect_9_reports_are_never_overwritten(pairs: Pairs) -> None:
    assert pairs.second["path"] != pairs.first["path"]
    assert files_of(pairs.first["path"]) == pairs.before
    assert {path.name for path in pairs.before} >= {"report.html", "report.md", "report.junit.xml", "report.json"}


def test_defect_10_each_row_names_its_own_run(pairs: Pairs) -> None:
    result = pairs.second
    runs = {each["name"] for each in result["runs"]}
    assert {row["run"] for row in table(result, "details.csv")} == runs
    assert {row["run"] for row in table(result, "metrics.csv")} == runs
    assert {row["key"] for row in table(result, "details.csv")} == {result["key"]}


def test_defect_11_each_row_has_its_variants(pairs: Pairs) -> None:
    result = pairs.second
    columns = ("version", "variant.first", "variant.second")
    found = {tuple(row[name] for name in columns) for row in table(result, "details.csv")}
    assert {row[1:] for row in found} == {
        ("variant_0", "variant_0"),
        ("variant_1", "variant_0"),
        ("variant_0", "variant_1"),
    }
    assert len({row[0] for row in found}) == 3
    assert found == {tuple(row[name] for name in columns) for row in table(result, "metrics.csv")}


def test_defect_12_the_metrics_of_several_runs_make_one_table(pairs: Pairs) -> None:
    rows = table(pairs.second, "metrics.csv")
    assert [(row["lines_total"], row["lines_failed"]) for row in rows] == [("3", "0"), ("3", "1"), ("3", "1")]
    assert rows[0]["grade.accuracy"] == "1.0"
    assert "" not in rows[0]  # no index column without a name


def test_defect_13_failed_lines_cost_and_time_are_columns(pairs: Pairs) -> None:
    result = pairs.second
    rows = table(result, "details.csv")
    failed = [row for row in rows if row["status"] == "failed"]
    assert [row["error.type"] for row in failed] == ["ValueError", "ValueError"]
    assert all("(Failed)" not in row.values() for row in rows)
    assert all(row[name] for row in rows for name in ("duration_ms", "total_tokens", "cost_usd"))
    assert {"latency_p95_ms", "model_calls", "cost_usd", "coverage"} <= set(table(result, "metrics.csv")[0])
    assert [row["inputs.x"] for row in rows if row["line_number"] == "2"] == ["'=1+1"] * 3
    failures = ElementTree.parse(result["reports"]["junit"]).findall(".//failure")
    assert ["x is bad" in (each.text or "") for each in failures] == [True, True]
    markdown = Path(result["reports"]["markdown"]).read_text(encoding="utf-8")
    assert markdown.splitlines()[1] == "## Compared: pairs"
    assert "**1** of 3" in markdown


def test_experiments_are_listed(pairs: Pairs) -> None:
    listed = pairs.project.json("experiment", "list")
    assert [each["key"] for each in listed] == [pairs.second["key"], pairs.first["key"]]
    assert (listed[0]["metric"], listed[0]["value"]) == ("accuracy", 1.0)
    assert listed[0]["lines"] == {"total": 9, "failed": 2}
    assert Path(listed[0]["report"]).is_file()
    assert len(pairs.project.json("experiment", "list", "-r", "1")) == 1
    assert pairs.project.json("experiment", "list", "-n", "other") == []
    shown = pairs.project.run("experiment", "list", "--name", "pairs").stdout
    assert pairs.first["key"] in shown
    assert "1.000 → 1.000" in shown
    narrow = pairs.project.run("experiment", "list", env={"COLUMNS": "80"}).stdout
    assert any(
        pairs.first["key"] in line and "pairs" in line and "accuracy 1.000" in line for line in narrow.splitlines()
    )
    page = (pairs.project.home / "experiments" / "index.html").read_text(encoding="utf-8")
    assert all(f"pairs/{each['key']}/report.html" in page for each in listed)


def test_reports_are_written_again(pairs: Pairs, moved: Project, tmp_path: Path) -> None:
    key = pairs.second["key"]
    before = files_of(moved.home / "experiments" / "pairs" / key)
    again = moved.json("experiment", "report", "pairs")
    assert (again["name"], again["key"]) == ("pairs", key)
    assert set(again["reports"]) == {"html", "junit", "markdown", "json", "csv"}
    assert files_of(moved.home / "experiments" / "pairs" / key) == before
    words = ["experiment", "report", key, "--output", tmp_path / "ci", "--format", "markdown"]
    assert moved.json(*words)["reports"] == {"markdown": str(tmp_path / "ci" / "report.md")}
    assert (tmp_path / "ci" / "report.md").read_text() == Path(pairs.second["reports"]["markdown"]).read_text()
    assert "already has report.md" in moved.run(*words, code=2).stderr
    moved.run(*words, "--overwrite", "--format", "junit")
    assert {path.name for path in (tmp_path / "ci").iterdir()} == {"report.md", "report.junit.xml"}


def test_an_execution_whose_reports_are_gone_is_listed_and_reported(pairs: Pairs, moved: Project) -> None:
    folder = moved.home / "experiments" / "pairs" / pairs.second["key"]
    for path in files_of(folder):
        if path.name != "experiment.json":
            path.unlink()
    listed = moved.json("experiment", "list")[0]
    assert (listed["key"], listed["report"], listed["lines"]["failed"]) == (pairs.second["key"], None, 2)
    (folder / "report.json").write_text("{")
    done = moved.run("experiment", "report", pairs.second["key"])
    assert "report.json of pairs" in done.stderr
    assert json.loads((folder / "report.json").read_text())["key"] == pairs.second["key"]


def test_what_is_not_there_is_said(pairs: Pairs) -> None:
    said = pairs.project.run("experiment", "report", "pair", code=2).stderr
    assert "There is no experiment 'pair'" in said
    assert "pairs" in said
    words = ["experiment", "report", pairs.second["key"], "--open", "--format", "csv"]
    assert "--open" in pairs.project.run(*words, code=2).stderr


def test_a_name_with_markup_is_text_everywhere(pairs: Pairs, moved: Project) -> None:
    other = pairs.project.write("markup.yaml", EXPERIMENT.replace("name: pairs", "name: 'p <i> | @team'"))
    result = moved.json("experiment", "run", str(other), "--variants", "defaults")
    markdown = Path(result["reports"]["markdown"]).read_text(encoding="utf-8")
    assert "@team" not in markdown
    assert "<i>" not in markdown
    assert "<i>" not in (moved.home / "experiments" / "index.html").read_text(encoding="utf-8")
    assert table(result, "details.csv")[0]["experiment"] == "p <i> | @team"


def test_chosen_runs_have_reports_too(pairs: Pairs, moved: Project) -> None:
    names = ",".join(run["name"] for run in pairs.second["runs"])
    shown = moved.json("run", "visualize", "-n", names, "--format", "markdown", "--format", "csv")
    folder = Path(shown["page"]).with_suffix("")
    assert shown["reports"]["markdown"] == str(folder / "report.md")
    assert shown["reports"]["csv"][:2] == [str(folder / "details.csv"), str(folder / "metrics.csv")]
    assert "## Compared" in (folder / "report.md").read_text(encoding="utf-8")
