"""A key that a YAML file has twice is never taken silently."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowyard._util.yamlfile import RepeatedKey, parse_yaml
from flowyard.config import read_config
from flowyard.decisions.policy import DecisionPolicy
from flowyard.errors import ExperimentInvalid, UserError
from flowyard.experiments.load import load_experiment
from flowyard.experiments.policy import read_gates_file
from flowyard.flows.load import load_flow

FILE = Path("some.yaml")


def test_both_places_are_known_and_the_first_counts():
    read = parse_yaml("a: 1\nb:\n  - {c: 1, c: 2}\na: 3\n", FILE)
    assert read.repeated == (RepeatedKey("c", 3, 3), RepeatedKey("a", 1, 4))
    assert read.data == {"a": 1, "b": [{"c": 1}]}


def test_merged_and_shared_mappings_repeat_nothing():
    assert parse_yaml("a: &a {x: 1, y: 2}\nb: {<<: *a, x: 3}\nc: *a\n", FILE).repeated == ()


@given(st.lists(st.sampled_from("abcdef"), max_size=12))
def test_every_key_after_its_first_is_told_of(keys: list[str]):
    text = "".join(f"{key}: {place}\n" for place, key in enumerate(keys)) or "{}"
    wanted = tuple(RepeatedKey(k, keys.index(k) + 1, i + 1) for i, k in enumerate(keys) if keys.index(k) < i)
    assert parse_yaml(text, FILE).repeated == wanted


FLOW = """inputs:
  text: {type: string}
outputs:
  answer: {type: string, reference: "${inputs.text}"}
nodes: []
inputs:
  other: {type: string}
"""


def project(folder: Path) -> Path:
    flow = folder / "flows" / "echo"
    flow.mkdir(parents=True)
    (flow / "flow.dag.yaml").write_text(FLOW)
    (folder / "data.jsonl").write_text('{"text": "a"}\n')
    file = folder / "experiment.yaml"
    file.write_text(
        "name: echo\ndatasets:\n- {name: d, source: data.jsonl, mappings: {text: '${data.text}'}}\nevaluators: []\n"
    )
    return file


def test_an_experiment_that_says_something_twice_is_refused_with_both_lines(tmp_path: Path):
    file = project(tmp_path)
    load_experiment(file)
    file.write_text(file.read_text() + "datasets: []\n")
    with pytest.raises(ExperimentInvalid) as caught:
        load_experiment(file)
    assert "experiment.yaml:5: 'datasets' is given twice: in experiment.yaml:2 and here." in str(caught.value)


def test_an_overlay_and_a_file_of_gates_as_well(tmp_path: Path):
    file = project(tmp_path)
    overlay = tmp_path / "experiment.dev.yaml"
    overlay.write_text("evaluators: []\nevaluators: []\n")
    with pytest.raises(ExperimentInvalid, match=r"experiment\.dev\.yaml:2: .* in experiment\.dev\.yaml:1 and here"):
        load_experiment(file, "dev")
    gates = tmp_path / "gates.yaml"
    gates.write_text("gates: ['a >= 1']\ngates: ['b >= 1']\n")
    with pytest.raises(ExperimentInvalid, match=r"gates\.yaml:2: .* in gates\.yaml:1 and here"):
        read_gates_file(gates, DecisionPolicy())


def test_a_flow_of_prompt_flow_loads_with_a_warning(tmp_path: Path):
    project(tmp_path)
    flow = load_flow(tmp_path / "flows" / "echo")
    assert list(flow.inputs) == ["text"]
    said = "flow.dag.yaml:6: 'inputs' is given twice, in flow.dag.yaml:1 and here; the first one counts."
    assert said in flow.warnings


def test_a_prompty_names_lines_of_its_file(tmp_path: Path):
    file = tmp_path / "a.prompty"
    file.write_text("---\nname: a\nmodel: {configuration: {type: openai, model: m}}\nname: b\n---\nsystem:\nHello\n")
    flow = load_flow(file)
    assert flow.name == "a"
    assert "a.prompty:4: 'name' is given twice, in a.prompty:2 and here; the first one counts." in flow.warnings


def test_a_configuration_is_refused(tmp_path: Path):
    file = tmp_path / "flowyard.yaml"
    file.write_text("trace:\n  destination: none\n  destination: local\n")
    with pytest.raises(UserError, match="'destination' is given twice: in line 2 and here") as caught:
        read_config([file])
    assert caught.value.where == f"{file}:3"
