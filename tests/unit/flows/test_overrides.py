"""Connections and models of nodes, overridden for one run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from flowyard.errors import FlowInvalid, UserError
from flowyard.flows import Flow, Literal
from flowyard.flows.load import load_flow
from flowyard.flows.model import FlexFlow
from flowyard.flows.overrides import override_connections, parse_overrides

FLOW = """\
inputs: {x: {type: string}}
outputs: {y: {type: string, reference: "${use.output}"}}
nodes:
- name: ask
  type: llm
  source: {type: code, path: ask.jinja2}
  inputs: {deployment_name: small, question: "${inputs.x}"}
  connection: first
  api: chat
- name: use
  type: python
  source: {type: code, path: use.py}
  inputs: {conn: first, size: 3, text: "${ask.output}"}
- name: say
  use_variants: true
- name: say_other
  type: prompt
  source: {type: code, path: ask.jinja2}
  inputs: {question: "${inputs.x}"}
node_variants:
  say:
    default_variant_id: a
    variants:
      a: {node: {type: llm, source: {type: code, path: ask.jinja2}, inputs: {}, connection: first, api: chat}}
      b: {node: {type: python, source: {type: code, path: use.py}, inputs: {conn: second}}}
"""


@pytest.fixture
def flow(tmp_path: Path) -> Flow:
    return load(tmp_path)


def load(folder: Path, variant: dict[str, str] | None = None) -> Flow:
    (folder / "flow.dag.yaml").write_text(FLOW)
    (folder / "ask.jinja2").write_text("user:\n{{question}}")
    (folder / "use.py").write_text("")
    return load_flow(folder, variant)


def node(flow: Flow, name: str) -> Any:
    return next(each for each in flow.nodes if each.name == name)


def test_llm_nodes(flow: Flow):
    overrides = {"ask": {"connection": "mine", "deployment_name": "large", "model": "gpt"}}
    changed = node(override_connections(flow, overrides), "ask")
    assert changed.connection == "mine"
    assert changed.inputs["deployment_name"] == Literal("large")
    assert changed.inputs["model"] == Literal("gpt")
    assert changed.inputs["question"] == node(flow, "ask").inputs["question"]
    assert node(flow, "ask").connection == "first"


def test_a_model_alone_leaves_the_connection(flow: Flow):
    assert node(override_connections(flow, {"ask": {"model": "gpt"}}), "ask").connection == "first"


def test_python_nodes(flow: Flow):
    changed = node(override_connections(flow, {"use": {"conn": "mine", "model": "gpt"}}), "use")
    assert changed.inputs["conn"] == Literal("mine")
    assert changed.inputs["model"] == Literal("gpt")
    assert changed.inputs["size"] == Literal(3)


def test_a_connection_parameter_that_the_flow_leaves_out(flow: Flow):
    changed = override_connections(flow, {"use": {"other": "mine"}}, {"use": ["conn", "other"]})
    assert node(changed, "use").inputs["other"] == Literal("mine")


def test_after_variants(tmp_path: Path):
    changed = override_connections(load(tmp_path, {"say": "b"}), {"say": {"conn": "mine"}})
    assert node(changed, "say").inputs["conn"] == Literal("mine")
    with pytest.raises(FlowInvalid):
        override_connections(load(tmp_path), {"say": {"conn": "mine"}})


def test_a_flow_without_nodes(tmp_path: Path):
    flex = FlexFlow(name="f", file=tmp_path / "flow.flex.yaml", folder=tmp_path, entry="work:run")
    assert override_connections(flex, {}) is flex
    with pytest.raises(UserError, match="no nodes"):
        override_connections(flex, {"a": {"connection": "c"}})


def test_nothing_to_override(flow: Flow):
    assert override_connections(flow, {}) == flow


WRONG = [
    ({"aks": {"connection": "c"}}, "'ask'"),
    ({"ask": {"conection": "c"}}, "'connection'"),
    ({"ask": {"temperature": "1"}}, "'deployment_name'"),
    ({"use": {"size": "c"}}, "'conn'"),
    ({"use": {"text": "c"}}, "'conn'"),
    ({"use": {"connection": "c"}}, "'conn'"),
    ({"say_other": {"connection": "c"}}, "uses no connection"),
    ({"ask": {"connection": ""}}, "ask.connection"),
    ({"ask": {"connection": 3}}, "ask.connection"),
    ({"ask": "c"}, "'ask'"),
]


@pytest.mark.parametrize(("overrides", "named"), WRONG)
def test_wrong_overrides(flow: Flow, overrides: dict[str, Any], named: str):
    with pytest.raises(FlowInvalid) as caught:
        override_connections(flow, overrides)
    assert named in str(caught.value)


def test_every_problem_is_told_at_once(flow: Flow):
    with pytest.raises(FlowInvalid) as caught:
        override_connections(flow, {"aks": {}, "ask": {"a": "b", "c": "d"}})
    assert len(caught.value.problems) == 3


def test_parameters_beat_what_the_inputs_look_like(flow: Flow):
    with pytest.raises(FlowInvalid):
        override_connections(flow, {"use": {"conn": "c"}}, {"use": []})


def test_parsing():
    given = {"ask.connection": "a", "ask.deployment_name": "b", "use.conn.x": "c"}
    assert parse_overrides(given) == {"ask": {"connection": "a", "deployment_name": "b"}, "use": {"conn.x": "c"}}
    for wrong in ("ask", ".x", "ask."):
        with pytest.raises(UserError, match=r"node\.key"):
            parse_overrides({wrong: "x"})
