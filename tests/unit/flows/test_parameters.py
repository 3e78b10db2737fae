"""Single values of a flow changed from outside, in flows of every kind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from flowyard.errors import FlowInvalid, UserError
from flowyard.flows.known_inputs import MODEL_PARAMETERS
from flowyard.flows.load import load_flow
from flowyard.flows.model import DagFlow, FlexFlow, InputRef, Literal, NodeRef, PromptyFlow
from flowyard.flows.parameters import apply_parameters, change_flow
from flowyard.llm.parameters import CHAT_PARAMETERS, COMPLETION_PARAMETERS
from flowyard.runs.versions import flow_digest

DAG = """\
inputs:
  x: {type: string, default: a}
outputs:
  y: {type: string, reference: "${ask.output}"}
nodes:
- name: ask
  type: llm
  source: {type: code, path: ask.jinja2}
  inputs: {deployment_name: small, model: small, x: "${inputs.x}"}
  connection: c
  api: chat
- name: work
  type: python
  source: {type: code, path: work.py}
  inputs: {text: "${inputs.x}"}
"""
WORK = "from promptflow.core import tool\n\n\n@tool\ndef work(text: str, times: int = 1):\n    return text * times\n"
FLEX = "entry: code:Answer\nsample: {init: {word: hello}}\n"
CODE = "class Answer:\n    def __init__(self, word, times=1):\n        self.word = word\n"
PROMPTY = """\
---
model:
  configuration: {type: azure_openai, azure_deployment: small, connection: c}
  parameters: {temperature: 0}
inputs: {q: {type: string}}
---
user:
{{q}}
"""


@pytest.fixture
def dag(tmp_path: Path) -> DagFlow:
    for name, text in (("flow.dag.yaml", DAG), ("ask.jinja2", "user:\n{{x}} {{style}}\n"), ("work.py", WORK)):
        (tmp_path / name).write_text(text)
    (tmp_path / "prompts").mkdir()
    (tmp_path / "prompts/short.jinja2").write_text("user:\n{{x}}\n")
    flow = load_flow(tmp_path)
    assert isinstance(flow, DagFlow)
    return flow


@pytest.fixture
def flex(tmp_path: Path) -> FlexFlow:
    (tmp_path / "flow.flex.yaml").write_text(FLEX)
    (tmp_path / "code.py").write_text(CODE)
    flow = load_flow(tmp_path)
    assert isinstance(flow, FlexFlow)
    return flow


@pytest.fixture
def prompty(tmp_path: Path) -> PromptyFlow:
    (tmp_path / "p.prompty").write_text(PROMPTY)
    flow = load_flow(tmp_path / "p.prompty")
    assert isinstance(flow, PromptyFlow)
    return flow


def nodes_of(flow: Any) -> dict[str, Any]:
    return {node.name: node for node in flow.nodes}


def test_inputs_of_nodes(dag: DagFlow) -> None:
    changed = nodes_of(
        apply_parameters(dag, {"ask.temperature": 0.5, "nodes.ask.inputs.style": "short", "work.times": 3})
    )
    assert changed["ask"].inputs["temperature"] == Literal(0.5)
    assert changed["ask"].inputs["style"] == Literal("short")
    assert changed["work"].inputs == {"text": InputRef("x"), "times": Literal(3)}
    assert "temperature" not in nodes_of(dag)["ask"].inputs


def test_the_model_is_what_either_key_says(dag: DagFlow) -> None:
    for name in ("ask.model", "ask.deployment_name"):
        inputs = nodes_of(apply_parameters(dag, {name: "large"}))["ask"].inputs
        assert (inputs["model"], inputs["deployment_name"]) == (Literal("large"), Literal("large"))
    inputs = nodes_of(apply_parameters(dag, {"ask.model": "m", "ask.deployment_name": "d"}))["ask"].inputs
    assert (inputs["model"], inputs["deployment_name"]) == (Literal("m"), Literal("d"))


def test_a_connection_a_file_a_default_and_a_variable(dag: DagFlow) -> None:
    values = {
        "ask.connection": "other",
        "ask.prompt": "prompts/short.jinja2",
        "inputs.x.default": "b",
        "environment_variables.LEVEL": "9",
    }
    changed = apply_parameters(dag, values)
    node = nodes_of(changed)["ask"]
    assert (node.connection, node.source_path) == ("other", "prompts/short.jinja2")
    assert (changed.inputs["x"].default, changed.environment_variables["LEVEL"]) == ("b", "9")
    assert apply_parameters(dag, {"ask.source.path": "prompts/short.jinja2"}).nodes == (
        apply_parameters(dag, {"ask.prompt": "prompts/short.jinja2"}).nodes
    )


def test_a_reference_changes_the_order_of_nodes(dag: DagFlow) -> None:
    changed = apply_parameters(dag, {"ask.x": "${work.output}"})
    assert isinstance(changed, DagFlow)
    assert [node.name for node in changed.nodes] == ["work", "ask"]
    assert nodes_of(changed)["ask"].inputs["x"] == NodeRef("work", (), "${work.output}")
    with pytest.raises(FlowInvalid, match="circle"):
        apply_parameters(dag, {"ask.x": "${work.output}", "work.text": "${ask.output}"})
    with pytest.raises(FlowInvalid, match="wrok"):
        apply_parameters(dag, {"ask.x": "${wrok.output}"})


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("ask.temprature", 0, "Did you mean 'temperature'?"),
        ("work.tims", 2, "Did you mean 'times'?"),
        ("wrok.times", 2, "Did you mean 'work'?"),
        ("temperature", 0, "NODE.INPUT"),
        ("init.word", "x", "'init'"),
        ("inputs.z.default", 1, "'x'"),
        ("outputs.y", 1, "'outputs'"),
        ("ask.prompt", "prompts/shrt.jinja2", "Did you mean 'prompts/short.jinja2'?"),
        ("ask.prompt", "../secret.txt", "outside"),
        ("ask.prompt", "/etc/passwd", "outside"),
        ("work.text", "${ask.inputs.x}", "section"),
    ],
)
def test_what_means_nothing_in_the_flow(dag: DagFlow, name: str, value: Any, said: str) -> None:
    with pytest.raises(UserError) as caught:
        apply_parameters(dag, {name: value})
    assert said in f"{caught.value} {caught.value.hint}"


def test_one_call_may_give_a_node_any_input(dag: DagFlow) -> None:
    assert nodes_of(change_flow(dag, "nodes.work.inputs.anything", 1))["work"].inputs["anything"] == Literal(1)


def test_init_values_of_a_class(flex: FlexFlow) -> None:
    changed = apply_parameters(flex, {"init.times": 2})
    assert isinstance(changed, FlexFlow)
    assert (changed.init_values, changed.sample_init) == ({"times": 2}, {"word": "hello"})
    with pytest.raises(UserError) as caught:
        apply_parameters(flex, {"init.tims": 2})
    assert caught.value.hint == "Did you mean 'times'?"
    with pytest.raises(UserError, match="nothing"):
        apply_parameters(flex, {"times": 2})


def test_model_parameters_of_a_prompty(prompty: PromptyFlow) -> None:
    changed = apply_parameters(prompty, {"temperature": 1, "parameters.max_tokens": 9, "model": "large"})
    assert isinstance(changed, PromptyFlow)
    assert changed.parameters == {"temperature": 1, "max_tokens": 9}
    assert changed.configuration["azure_deployment"] == "large"
    with pytest.raises(UserError) as caught:
        apply_parameters(prompty, {"temprature": 1})
    assert caught.value.hint == "Did you mean 'temperature'?"
    with pytest.raises(UserError):
        apply_parameters(prompty, {"tools": "none"})


def test_the_version_of_a_flow_has_its_parameters(dag: DagFlow) -> None:
    plain = flow_digest(dag)
    assert flow_digest(dag, {}) == plain
    assert len({plain, flow_digest(dag, {"ask.top_p": 1}), flow_digest(dag, {"ask.top_p": 0})}) == 3


def test_the_names_of_model_parameters_are_those_that_nodes_send() -> None:
    assert set(MODEL_PARAMETERS) == {*CHAT_PARAMETERS, *COMPLETION_PARAMETERS}
