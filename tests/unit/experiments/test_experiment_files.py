from __future__ import annotations

import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowyard.errors import ConnectionMissing, ExperimentInvalid, UserError
from flowyard.experiments.connections import ExperimentConnections
from flowyard.experiments.load import load_experiment
from flowyard.experiments.model import Experiment
from flowyard.experiments.plan import plan_experiment
from flowyard.experiments.space.expand import expand, open_space
from flowyard.experiments.space.search import Search
from flowyard.experiments.space.variants import VariantsBlock, parse_variants_option
from flowyard.flows import DagFlow, Flow

BASE = """
name: headlines
flow: flows/main
connections:
  - {name: aoai, connection_type: AzureOpenAI, api_key: "${api_key}", api_base: https://a.example}
datasets:
  - {name: train, source: data/train.jsonl, mappings: {x: "${data.text}"}}
  - {name: more, source: more.jsonl, mappings: {x: "${data.text}"}}
evaluators:
  - name: grade
    flow: flows/grade
    datasets:
      - {name: train, mappings: {y: "${run.outputs.y}", truth: "${data.truth}"}}
      - name: truths
        source: data/truths.jsonl
        reference: more
        mappings: {y: "${run.outputs.y}", truth: "${data.truth}"}
"""
MAIN = """
inputs: {x: {type: string}}
outputs: {y: {type: string, reference: "${p.output}"}}
nodes:
  - {name: p, use_variants: true}
  - {name: q, use_variants: true}
node_variants:
  p:
    default_variant_id: p1
    variants:
      p0: {node: {type: prompt, source: {type: code, path: p.jinja2}, inputs: {x: "${inputs.x}"}}}
      p1: {node: {type: prompt, source: {type: code, path: p.jinja2}, inputs: {x: "${inputs.x}"}}}
      p2: {node: {type: prompt, source: {type: code, path: p.jinja2}, inputs: {x: "${inputs.x}"}}}
  q:
    default_variant_id: q0
    variants:
      q0: {node: {type: llm, source: {type: code, path: p.jinja2}, connection: aoai, inputs: {deployment_name: m}}}
      p2: {node: {type: prompt, source: {type: code, path: p.jinja2}}}
"""
GRADE = """
inputs: {y: {type: string}, truth: {type: string}}
nodes:
  - {name: g, type: prompt, source: {type: code, path: p.jinja2}, inputs: {y: "${inputs.y}"}}
"""
Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes the experiment, its overlay ``dev`` when given, its flows and data."""
    for name, flow in (("main", MAIN), ("grade", GRADE)):
        folder = tmp_path / "flows" / name
        folder.mkdir(parents=True)
        (folder / "flow.dag.yaml").write_text(flow.lstrip())
        (folder / "p.jinja2").write_text("user:\n{{x}}\n")
    (tmp_path / "data").mkdir()
    for name in ("train", "more", "truths", "other"):
        (tmp_path / "data" / f"{name}.jsonl").write_text('{"text": "a", "truth": "b"}\n' * 3)

    def write(base: str = BASE, dev: str | None = None) -> Path:
        (tmp_path / "experiment.yaml").write_text(textwrap.dedent(base).lstrip())
        if dev is not None:
            (tmp_path / "experiment.dev.yaml").write_text(textwrap.dedent(dev).lstrip())
        return tmp_path

    return write


def names(experiment: Experiment) -> tuple[list[str], list[str], list[str]]:
    parts: tuple[Any, ...] = (experiment.datasets, experiment.evaluators, experiment.connections)
    return ([each.name for each in parts[0]], [each.name for each in parts[1]], [each.name for each in parts[2]])


def test_paths_are_found_beside_the_file_and_in_data(write: Write) -> None:
    folder = write()
    experiment = load_experiment(folder)
    assert names(experiment) == (["train", "more"], ["grade"], ["aoai"])
    assert experiment.datasets[1].source == folder / "data" / "more.jsonl"
    assert [each.reference for each in experiment.evaluators[0].datasets] == ["train", "more"]
    assert experiment.evaluators[0].datasets[0].source == folder / "data" / "train.jsonl"


OTHER = 'datasets: [{name: train, source: other.jsonl, mappings: {x: "${data.text}"}}]'


@pytest.mark.parametrize(
    ("overlay", "expected"),
    [
        ("", (["train", "more"], ["grade"], ["aoai"])),
        ("evaluators:", (["train", "more"], [], ["aoai"])),
        ("evaluators: []", (["train", "more"], [], ["aoai"])),
        ("connections:", (["train", "more"], ["grade"], [])),
        ("connections: [{name: c, connection_type: Custom}]", (["train", "more"], ["grade"], ["c"])),
        ("name: other\nflow: flows/grade", (["train", "more"], ["grade"], ["aoai"])),
        ("runtime: r", (["train", "more"], ["grade"], ["aoai"])),
        (OTHER + "\nevaluators:\n", (["train"], [], ["aoai"])),
    ],
)
def test_an_overlay_replaces_whole_blocks(write: Write, overlay: str, expected: Any) -> None:
    experiment = load_experiment(write(dev=overlay), "dev")
    assert names(experiment) == expected
    assert (experiment.name, experiment.flow.name, experiment.env) == ("headlines", "main", "dev")
    is_surprising = overlay.startswith("name") or overlay.rstrip().endswith(":")
    assert bool(experiment.warnings) == is_surprising


def test_overlaid_datasets_of_the_same_name_feed_the_base_evaluators(write: Write) -> None:
    more = OTHER.replace("]", ', {name: more, source: more.jsonl, mappings: {x: "${data.text}"}}]')
    folder = write(dev=more)
    (evaluator,) = load_experiment(folder, "dev").evaluators
    assert [Path(each.source).name for each in evaluator.datasets] == ["other.jsonl", "truths.jsonl"]
    assert [Path(each.source).name for each in load_experiment(folder).datasets] == ["train.jsonl", "more.jsonl"]


def test_an_overlay_that_renames_the_datasets_leaves_evaluators_without_any(write: Write) -> None:
    base = BASE[: BASE.index("      - name: truths")]
    folder = write(base, dev=OTHER.replace("name: train", "name: renamed"))
    plan = plan_experiment(load_experiment(folder, "dev"), "defaults")
    assert [run.evaluations for run in plan.runs] == [()]
    assert any("'train' is not a dataset of the experiment" in warning for warning in plan.warnings)


def test_overlays_that_cannot_be(write: Write) -> None:
    folder = write(dev="datasets:")
    with pytest.raises(ExperimentInvalid, match="nothing to run"):
        load_experiment(folder, "dev")
    with pytest.raises(UserError, match=r"no overlay experiment\.deb\.yaml") as caught:
        load_experiment(folder, "deb")
    assert "dev" in str(caught.value.hint)


def test_every_problem_is_listed_with_its_line(write: Write) -> None:
    folder = write(
        """
        name: e
        flow: flows/mian
        datset: []
        datasets:
          - {name: train, source: tarin.jsonl, mappings: {}}
          - {name: train, source: more.jsonl}
        """
    )
    with pytest.raises(ExperimentInvalid) as caught:
        load_experiment(folder)
    assert [(each.where, each.message) for each in caught.value.problems] == [
        ("experiment.yaml:6", "'datasets.1.mappings' is required."),
        ("experiment.yaml:3", "Unknown key 'datset'."),
    ]
    write(
        """
        name: e
        flow: flows/mian
        datasets:
          - {name: train, source: tarin.jsonl, mappings: {}}
          - {name: train, source: "azureml:x:1", mappings: {}}
        evaluators:
          - {name: grade, datasets: [{name: train, source: more.jsonl, mappings: {}}, {name: none, mappings: {}}]}
          - {name: grade, flow: flows/grade, datasets: [{name: z, source: more.jsonl, reference: y, mappings: {}}]}
        """
    )
    with pytest.raises(ExperimentInvalid) as caught:
        load_experiment(folder)
    found = str(caught.value)
    for part in (
        "experiment.yaml:2: There is no flow 'flows/mian'",
        "experiment.yaml:4: There is no data file 'tarin.jsonl'",
        "experiment.yaml:5: 'azureml:x:1' is an Azure ML data asset",
        "experiment.yaml:5: Two datasets are called 'train'",
        "experiment.yaml:7: 'source' is not allowed here",
        "experiment.yaml:7: 'none' is not a dataset of the experiment",
        "experiment.yaml:8: 'reference' names the unknown dataset 'y'",
        "experiment.yaml:8: Two evaluators are called 'grade'",
    ):
        assert part in found


def test_a_plan_counts_runs_and_model_calls(write: Write) -> None:
    plan = plan_experiment(load_experiment(write()))
    assert [(run.dataset.name, dict(run.selected)) for run in plan.runs] == [
        (dataset, selected) for dataset in ("train", "more") for selected in ({}, {"p": "p0"}, {"p": "p2"}, {"q": "p2"})
    ]
    assert plan.runs[1].assignment == {"p": "p0", "q": "q0"}
    assert [run.model_calls for run in plan.runs] == [3, 3, 3, 0] * 2
    assert plan.model_calls == 18
    assert {each.dataset.name for run in plan.runs for each in run.evaluations} == {"train", "truths"}


def test_a_mapping_that_does_not_fit_is_found_before_anything_runs(write: Write) -> None:
    bad = BASE.replace("${data.text}", "${data.txet}").replace("${run.outputs.y}", "${run.outputs.z}")
    with pytest.raises(ExperimentInvalid) as caught:
        plan_experiment(load_experiment(write(bad)))
    assert [problem.where for problem in caught.value.problems] == [f"experiment.yaml:{n}" for n in (6, 7, 12, 13)]


def assignments(flow: Flow, text: str) -> list[dict[str, str]]:
    """What ``--variants`` selects, without the defaults."""
    space = open_space(lambda _: flow, VariantsBlock(), (), parse_variants_option(text, flow, VariantsBlock()))
    found, _ = expand(space, Search())
    return [{node: each for node, each in one.assignment.items() if each != flow.chosen[node]} for one in found]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("all", [{}, {"p": "p0"}, {"p": "p2"}, {"q": "p2"}]),
        ("*", [{}, {"p": "p0"}, {"p": "p2"}, {"q": "p2"}]),
        ("defaults", [{}]),
        ("p.p0", [{"p": "p0"}]),
        ("${p.p0}", [{"p": "p0"}]),
        ("p0, p.p0,p0", [{"p": "p0"}]),
        ("p2", [{"p": "p2"}, {"q": "p2"}]),
        ("p1,q0", [{}]),
        ("p1,q.p2", [{}, {"q": "p2"}]),
    ],
)
def test_assignments(write: Write, text: str, expected: list[dict[str, str]]) -> None:
    from flowyard.flows.load import load_flow

    assert assignments(load_flow(write() / "flows/main"), text) == expected


@pytest.mark.parametrize("text", ["p9", "q.p0", "p.", "x.y", ","])
def test_unknown_assignments(write: Write, text: str) -> None:
    from flowyard.flows.load import load_flow

    with pytest.raises(UserError):
        assignments(load_flow(write() / "flows/main"), text)


@settings(deadline=None)
@given(st.lists(st.integers(1, 5), max_size=5))
def test_all_is_one_plus_the_variants_that_are_not_defaults(sizes: list[int]) -> None:
    variants = {f"n{index}": tuple(f"v{each}" for each in range(size)) for index, size in enumerate(sizes)}
    flow = DagFlow(
        name="f",
        file=Path("f"),
        folder=Path(),
        nodes=(),
        variants=variants,
        chosen={node: ids[0] for node, ids in variants.items()},
    )
    found = assignments(flow, "all")
    assert len(found) == 1 + sum(size - 1 for size in sizes)
    assert len({tuple(each.items()) for each in found}) == len(found)
    assert found[0] == {}


def test_connection_placeholders_come_from_the_environment(write: Write) -> None:
    experiment = load_experiment(write())
    found = ExperimentConnections(experiment, {"AOAI_API_KEY": "k3y"}).find("aoai")
    assert found is not None
    assert (found["api_key"], found["api_base"]) == ("k3y", "https://a.example")
    source = ExperimentConnections(experiment, {})
    assert source.find("other") is None
    with pytest.raises(UserError, match="AOAI_API_KEY") as caught:
        source.find("aoai")
    assert not isinstance(caught.value, ConnectionMissing)
    assert caught.value.where == "experiment.yaml:4"
