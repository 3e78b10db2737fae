"""Choices that are written into a definition: what is loaded from it is what was chosen."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from flowyard.errors import UserError
from flowyard.flows.load import load_flow
from flowyard.flows.model import DagFlow, FlexFlow, PromptyFlow
from flowyard.flows.parameters import apply_parameters
from flowyard.flows.rewrite import rewrite_definition

DAG = """\
# a comment that stays
inputs:
  question: {type: string, default: "1"}
outputs:
  answer: {type: string, reference: "${ask.output}"}
nodes:
- name: ask
  use_variants: true
- name: log
  type: python
  source: {type: code, path: log.py}
  inputs: {x: "${ask.output}", deep: {a: [1, 2]}}
node_variants:
  ask:
    default_variant_id: long
    variants:
      long: {node: {type: llm, source: {type: code, path: a.jinja2}, api: chat, connection: c, inputs: {model: m}}}
      short: {node: {type: llm, source: {type: code, path: b.jinja2}, api: chat, connection: c, inputs: {model: m}}}
"""
ALIASED = """\
inputs: {x: {type: string}}
outputs: {y: {type: string, reference: "${a.output}"}}
nodes:
- {name: a, type: python, source: &code {type: code, path: log.py}, inputs: &given {x: "${inputs.x}", n: 1}}
- {name: b, type: python, source: *code, inputs: *given}
"""
FLEX = "entry: work:Go\ninit:\n  size: {type: int}\ninputs:\n  x: {type: string}\n"
PROMPTY = """\
---
name: Ask
model:
  configuration: {type: openai, model: small}
  parameters: {temperature: 0}
inputs:
  name: {type: string}
---
system:
---
Hello {{ name }}
"""


def rewritten(tmp_path: Path, name: str, text: str, parameters: dict[str, Any], **selected: str) -> Any:
    """The flow that is loaded from what was written, after the one with the choices made in memory."""
    files = {"a.jinja2": "system:\nA", "b.jinja2": "system:\nB", "log.py": "def log(x, deep, n=1):\n    return x\n"}
    for file, content in {**files, "work.py": "class Go:\n    pass\n", name: text}.items():
        (tmp_path / file).write_text(content, "utf-8")
    flow = load_flow(tmp_path / name, selected)
    written = rewrite_definition(flow, parameters, text)
    (tmp_path / name).write_text(written, "utf-8")
    return apply_parameters(flow, parameters), load_flow(tmp_path / name), written


def test_nothing_chosen_is_the_text_as_it_is(tmp_path: Path):
    assert rewritten(tmp_path, "flow.dag.yaml", DAG, {})[2] == DAG
    assert rewritten(tmp_path, "flow.dag.yaml", DAG, {}, ask="long")[2] == DAG


def test_a_variant_becomes_the_default_and_comments_stay(tmp_path: Path):
    chosen, loaded, text = rewritten(tmp_path, "flow.dag.yaml", DAG, {}, ask="short")
    assert loaded.chosen == chosen.chosen == {"ask": "short"}
    assert text == DAG.replace("default_variant_id: long", "default_variant_id: short")


@pytest.mark.parametrize(
    "parameters",
    [
        {"ask.temperature": 0.5},
        {"ask.model": "other"},
        {"ask.connection": "d"},
        {"ask.prompt": "b.jinja2"},
        {"log.x": "${inputs.question}", "log.deep": {"b": [True, None, "yes", "0.5", "ü: {"]}},
        {"inputs.question.default": "2 + 2: ?"},
        {"environment_variables.MODE": "on"},
        {"ask.temperature": 1, "ask.max_tokens": 5, "log.deep": "a\nb\n"},
    ],
    ids=lambda parameters: next(iter(parameters)),
)
def test_parameters_of_a_graph_are_values_in_its_file(tmp_path: Path, parameters: dict[str, Any]):
    chosen, loaded, _ = rewritten(tmp_path, "flow.dag.yaml", DAG, parameters, ask="short")
    assert isinstance(loaded, DagFlow)
    plain = [replace(node, where="") for node in loaded.nodes]
    assert plain == [replace(node, where="") for node in chosen.nodes]
    assert loaded.inputs["question"].default == chosen.inputs["question"].default
    assert dict(loaded.environment_variables) == dict(chosen.environment_variables)


def test_what_an_alias_shares_changes_in_one_place_only(tmp_path: Path):
    chosen, loaded, _ = rewritten(tmp_path, "flow.dag.yaml", ALIASED, {"b.n": 2})
    assert [node.inputs for node in loaded.nodes] == [node.inputs for node in chosen.nodes]


def test_parameters_of_a_flex_flow_stand_in_its_sample(tmp_path: Path):
    parameters = {"init.size": 3, "inputs.x.default": "a"}
    chosen, loaded, _ = rewritten(tmp_path, "flow.flex.yaml", FLEX, parameters)
    assert isinstance(loaded, FlexFlow)
    assert dict(loaded.sample_init) == dict(chosen.init_values) == {"size": 3}
    assert loaded.inputs["x"].default == "a"
    (tmp_path / "init.json").write_text("{}")
    with pytest.raises(UserError, match="no mapping"):
        rewritten(tmp_path, "flow.flex.yaml", FLEX + "sample: {init: '${file:init.json}'}\n", {"init.size": 3})


def test_parameters_of_a_prompty_stand_in_its_front_matter(tmp_path: Path):
    parameters = {"temperature": 0.7, "parameters.stop": ["\n"], "model": "big", "inputs.name.default": "Ann"}
    chosen, loaded, text = rewritten(tmp_path, "ask.prompty", PROMPTY, parameters)
    assert isinstance(loaded, PromptyFlow)
    assert dict(loaded.parameters) == dict(chosen.parameters) == {"temperature": 0.7, "stop": ["\n"]}
    assert dict(loaded.configuration) == dict(chosen.configuration)
    assert loaded.inputs["name"].default == "Ann"
    assert loaded.template == chosen.template
    assert text.endswith("---\nsystem:\n---\nHello {{ name }}\n")


def test_what_means_nothing_is_refused(tmp_path: Path):
    with pytest.raises(UserError, match="gone"):
        rewritten(tmp_path, "flow.dag.yaml", DAG, {"gone.x": 1})
