"""Where an experiment's data may be: registered names and remote places."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest

from flowyard.errors import ExperimentInvalid
from flowyard.experiments.load import load_experiment
from flowyard.experiments.plan import plan_experiment
from flowyard.runs.dataset import DataSource

FLOW = """\
inputs: {x: {type: string}}
outputs: {y: {type: string, reference: "${p.output}"}}
nodes:
- {name: p, type: prompt, source: {type: code, path: p.jinja2}, inputs: {x: "${inputs.x}"}}
"""
EXPERIMENT = """\
name: headlines
flow: main
datasets:
- {name: rows, source: "SOURCE", mappings: {x: "${data.x}"}}
"""
URL = "memory://flowyard_experiments/rows.jsonl"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "main").mkdir()
    (tmp_path / "main/flow.dag.yaml").write_text(FLOW)
    (tmp_path / "main/p.jinja2").write_text("{{x}}")
    (tmp_path / "registered.jsonl").write_text('{"x": "a"}\n' * 3)
    return tmp_path


@pytest.fixture
def in_memory() -> Iterator[str]:
    with fsspec.open(URL, "w") as file:
        file.write("".join(json.dumps({"x": str(number)}) + "\n" for number in range(5)))
    yield URL
    fsspec.filesystem("memory").rm("/flowyard_experiments", recursive=True)


def written(folder: Path, source: str) -> Path:
    (folder / "experiment.yaml").write_text(EXPERIMENT.replace("SOURCE", source))
    return folder


def test_data_at_a_url(folder: Path, in_memory: str) -> None:
    plan = plan_experiment(load_experiment(written(folder, in_memory)))
    assert [run.lines for run in plan.runs] == [5]


@pytest.mark.parametrize("source", ["rows:3", "registry:rows:3", "registry:rows:latest"])
def test_registered_data_is_found_by_the_hook(folder: Path, source: str) -> None:
    asked: list[str] = []

    def resolve(name: str) -> DataSource | None:
        asked.append(name)
        return folder / "registered.jsonl"

    experiment = load_experiment(written(folder, source), resolve_dataset=resolve)
    assert asked == [source.removeprefix("registry:")]
    assert [run.lines for run in plan_experiment(experiment).runs] == [3]


def test_a_file_wins_over_a_registered_name(folder: Path) -> None:
    (folder / "rows:3").write_text('{"x": "a"}\n')
    experiment = load_experiment(written(folder, "rows:3"), resolve_dataset=lambda _: None)
    assert experiment.datasets[0].source == folder.resolve() / "rows:3"


@pytest.mark.parametrize("source", ["rows:3", "registry:rows:3"])
def test_a_name_that_is_not_registered(folder: Path, source: str) -> None:
    with pytest.raises(ExperimentInvalid, match=r"experiment\.yaml:4"):
        load_experiment(written(folder, source), resolve_dataset=lambda _: None)
