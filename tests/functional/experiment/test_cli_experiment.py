"""``flowyard experiment run`` over the example project and over small ones."""

from __future__ import annotations

import csv
import json
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from functional_helper import (
    PATIENCE_S,
    Project,
    ending,
    one_node_flow,
    read_jsonl,
    runs_of,
    start_flowyard,
    wait_for_text,
)


def experiment(project: Project, *args: str, code: int = 0, env: dict[str, str] | None = None) -> Any:
    return project.json("experiment", "run", *args, code=code, env=env)


def snapshot(folder: Path) -> dict[Path, bytes]:
    """Every file but those that all runs share: the store, the cache and the index page."""
    shared = ("flowyard.db", "cache")
    files = [file for file in folder.rglob("*") if file.is_file() and file != folder / "experiments" / "index.html"]
    return {file: file.read_bytes() for file in files if not file.relative_to(folder).parts[0].startswith(shared)}


def metrics_of(result: dict[str, Any]) -> list[Any]:
    return [(run.get("dataset"), run.get("variant"), run["lines"], run["metrics"]) for run in runs_of(result)]


def test_the_example(project: Project):
    result = experiment(project, project.example(), "--max-failed-lines", "2")
    assert result["name"] == "ticket_triage"
    assert result["simulated"] is True
    assert [len(run["evaluations"]) for run in result["runs"]] == [1] * 4
    runs = runs_of(result)
    assert sum(run["lines"]["failed"] for run in runs) == 2
    for base, evaluation in zip(runs[::2], runs[1::2], strict=True):
        assert evaluation["base_run"] == base["name"]
        assert evaluation["lines"]["total"] == base["lines"]["completed"]
        assert 0 < evaluation["metrics"]["accuracy"] < 1
    assert result["verdict"] == "pass"
    assert {(gate["dataset"], gate["verdict"]) for gate in result["gates"]} == {
        ("tickets", "pass"),
        ("tickets_dev", "pass"),
    }
    csv_files = result["reports"].pop("csv")
    assert {name: Path(path).name for name, path in result["reports"].items()} == {
        "html": "report.html",
        "junit": "report.junit.xml",
        "markdown": "report.md",
        "json": "report.json",
    }
    texts = {Path(path).name: Path(path).read_text() for path in [*result["reports"].values(), *csv_files]}
    assert {"details.csv", "metrics.csv", "gates.csv", "tickets.classify=few_shot.csv"} <= set(texts)
    for title in ("It may ship", "Slices", "Confusion matrices"):
        assert title in texts["report.html"]
    assert len(texts["report.html"]) < 800_000
    assert all("imulated" in texts[name] for name in ("report.html", "report.md", "report.json", "details.csv"))
    rows = list(csv.DictReader(texts["details.csv"].splitlines()))
    assert len(rows) >= 137 + 24
    assert_again_is_separate(project, result)


def assert_again_is_separate(project: Project, first: dict[str, Any]) -> None:
    before = snapshot(project.home)
    second = experiment(project, "triage", code=1)  # two lines fail, and none was tolerated
    after = snapshot(project.home)
    assert {path: after[path] for path in before} == before
    assert second["key"] != first["key"]
    assert Path(second["path"]).parent == Path(first["path"]).parent
    assert metrics_of(second) == metrics_of(first)


def test_an_environment_replaces_blocks_and_people_get_a_comparison(project: Project):
    done = project.run("experiment", "run", project.example(), "--env", "dev", "--max-failed-lines", "2")
    for word in ("zero_shot", "few_shot", "accuracy", "report.html", "imulated"):
        assert word in done.stdout, done.stdout
    runs = project.json("run", "list")
    assert {Path(run["data"]).name for run in runs} == {"tickets_dev.jsonl"}
    assert len(runs) == 4


@pytest.mark.parametrize(
    ("variants", "expected"),
    [
        ("defaults", ["classify=zero_shot"]),
        ("classify.few_shot", ["classify=few_shot"]),
        ("few_shot", ["classify=few_shot"]),
        ("few_shot,zero_shot", ["classify=few_shot", "classify=zero_shot"]),
    ],
)
def test_variants_are_selected(project: Project, variants: str, expected: list[str]):
    plan = experiment(project, project.example(), "--env", "dev", "--variants", variants, "--dry-run")
    assert [run["variant"] for run in plan["runs"]] == expected


def test_a_dry_run_writes_nothing(project: Project):
    path = project.example()
    before = set(project.root.rglob("*"))
    plan = experiment(project, path, "--dry-run")
    assert [(run["dataset"], run["lines"]) for run in plan["runs"]] == [
        ("tickets", 137),
        ("tickets", 137),
        ("tickets_dev", 24),
        ("tickets_dev", 24),
    ]
    assert plan["model_calls"] == 2 * (137 + 24)
    assert "Nothing was run" in project.run("experiment", "run", path, "--dry-run").stdout
    assert not project.home.exists()
    assert {path for path in set(project.root.rglob("*")) - before if "__pycache__" not in path.parts} == set()


def test_a_real_endpoint_replaces_the_declared_simulation(project: Project, tmp_path: Path):
    path, ready = project.example(), tmp_path / "ready"
    words = [path, "--env", "dev", "--variants", "few_shot", "--max-failed-lines", "2"]
    declared = experiment(project, *words)
    rules = project.root / "triage" / "simulation.yaml"
    with ending(start_flowyard("simulate", rules, "--ready-file", ready, cwd=project.root)):
        url = wait_for_text(ready)
        env = {"TRIAGE_MODEL_API_KEY": "sk-anything", "TRIAGE_MODEL_BASE_URL": f"{url}/v1"}
        served = experiment(project, *words, env=env)
        with urllib.request.urlopen(f"{url}/stats", timeout=PATIENCE_S) as answer:
            stats = json.loads(answer.read())
    assert stats["calls"] >= 24
    assert stats["by_rule"]["few-shot triage"] >= 20
    assert metrics_of(served) == metrics_of(declared)


HELPED_TOOL = """\
from promptflow.core import tool

from helpers import SAID, later


@tool
def work(x: str):
    return f"{SAID} {later()} {x}"
"""
HELPERS = "SAID = {name!r}\n\n\ndef later():\n    import more\n\n    return more.SAID\n"
TWO_FLOWS = """\
name: two
flow: first
datasets:
  - name: rows
    source: data.jsonl
    mappings: {x: "${data.x}"}
evaluators:
  - name: second
    flow: second
    datasets:
      - name: rows
        mappings: {x: "${run.outputs.out}"}
"""


def test_flows_with_modules_of_the_same_name(project: Project):
    for name in ("first", "second"):
        project.flow(
            name,
            one_node_flow({"x": "string"}),
            work_py=HELPED_TOOL,
            helpers_py="from more import SAID as MORE\n\n" + HELPERS.format(name=name),
            more_py=f"SAID = 'more of {name}'\n",
        )
    project.write("experiment.yaml", TWO_FLOWS)
    project.jsonl("data.jsonl", [{"x": "a"}, {"x": "b"}])
    result = experiment(project, ".")
    found = [[row["out"] for row in read_jsonl(run["outputs"])] for run in runs_of(result)]
    first = ["first more of first a", "first more of first b"]
    assert found == [first, [f"second more of second {text}" for text in first]]
