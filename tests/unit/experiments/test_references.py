"""What an experiment names and will not be there is told before anything is run."""

from __future__ import annotations

from pathlib import Path

import pytest

from flowyard.errors import ExperimentInvalid
from flowyard.experiments.load import load_experiment
from flowyard.experiments.plan import plan_experiment

FLOW = """\
inputs: {x: {type: string}}
outputs: {y: {type: string, reference: "${p.output}"}}
nodes:
- {name: p, use_variants: true}
node_variants:
  p:
    default_variant_id: old
    variants:
      old: {node: {type: prompt, source: {type: code, path: p.jinja2}, inputs: {x: "${inputs.x}"}}}
      new: {node: {type: prompt, source: {type: code, path: p.jinja2}, inputs: {x: "${inputs.x}"}}}
      other: {node: {type: prompt, source: {type: code, path: p.jinja2}, inputs: {x: "${inputs.x}"}}}
"""
EXPERIMENT = """\
name: naming
flow: main
datasets:
- {name: easy, source: easy.jsonl, mappings: {x: "${data.text}"}}
- {name: hard, source: hard.jsonl, mappings: {x: "${data.text}"}}
evaluators:
- name: match
  type: exact_match
  datasets:
  - {name: easy, mappings: {answer: "${run.outputs.y}", ground_truth: "${data.text}"}}
"""
GATE = "gates:\n- {metric: exact_match, "


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "main").mkdir()
    (tmp_path / "main" / "flow.dag.yaml").write_text(FLOW, encoding="utf-8")
    (tmp_path / "main" / "p.jinja2").write_text("{{x}}", encoding="utf-8")
    (tmp_path / "easy.jsonl").write_text('{"text": "a", "kind": "b"}\n' * 3, encoding="utf-8")
    (tmp_path / "hard.jsonl").write_text('{"text": "a"}\n' * 120 + '{"text": "a", "late": 1}\n', encoding="utf-8")
    return tmp_path


def warned(folder: Path, blocks: str, variants: str | None = None, *, gates: bool = True) -> str:
    (folder / "experiment.yaml").write_text(EXPERIMENT + blocks, encoding="utf-8")
    return "\n".join(plan_experiment(load_experiment(folder), variants, gates=gates).warnings)


@pytest.mark.parametrize(
    ("blocks", "line", "said"),
    [
        (GATE + "at_least: 1, dataset: esay}", 12, "Did you mean 'easy'?"),
        (GATE + "at_least: 1, variant: p=nwe}", 12, "Did you mean 'p=new'?"),
        (GATE + "better_than: p=odl}", 12, "Did you mean 'p=old'?"),
        (GATE + "at_least: 1, slice: {knid: b}}", 12, "Did you mean 'kind'?"),
        (GATE + "at_least: 1, dataset: hard, slice: {kind: b}}", 12, "hard has no column 'kind'"),
        ("baseline: p=gone", 11, "The baseline 'p=gone' is no version that will be run"),
        ("slices:\n- kind\n- knid", 13, "no dataset has a column 'knid'"),
        ("cluster: talk", 11, "There are: 'text', 'kind'"),
        ("metrics:\n  exact_match: {labels: knid}", 12, "labels of exact_match: no dataset has a column 'knid'"),
    ],
)
def test_what_cannot_be_there_is_told_with_its_line(folder: Path, blocks: str, line: int, said: str) -> None:
    with pytest.raises(ExperimentInvalid) as caught:
        warned(folder, blocks)
    assert f"experiment.yaml:{line}: " in str(caught.value)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    "blocks",
    [
        GATE + "at_least: 1, dataset: easy, variant: p=new, slice: {kind: b}}",
        GATE + "better_than: {run: before}}",
        GATE + "at_least: 1, slice: {late: 1}}",
        "baseline: new\nslices: [kind]\ncluster: kind",
        "gates: [whatever >= 1]\nracing: {metric: match.exact_match}",
    ],
)
def test_what_is_there_or_cannot_be_known_is_not_told(folder: Path, blocks: str) -> None:
    assert warned(folder, blocks) == ""


def test_versions_that_were_not_selected_cannot_be_the_baseline(folder: Path) -> None:
    compared = "baseline: p=new\n" + GATE + "better_than: baseline}"
    with pytest.raises(ExperimentInvalid, match="'p=new' is no version that will be run"):
        warned(folder, compared, "p.other")
    assert "'p=new' is no version" in warned(folder, compared, "p.other", gates=False)
    assert "'p=new' is no version" in warned(folder, "baseline: p=new", "p.other")
    assert warned(folder, GATE + "better_than: p=gone}", gates=False) == ""


def test_the_metric_of_a_race_that_no_built_in_evaluator_gives_is_a_warning(folder: Path) -> None:
    said = warned(folder, "racing: {metric: exact_mtach}")
    assert "experiment.yaml:11: no evaluator gives 'exact_mtach'" in said
    assert "Did you mean 'exact_match'?" in said
