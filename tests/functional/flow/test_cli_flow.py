"""``flowyard flow``: one line through a flow, and what people and scripts see of it."""

from __future__ import annotations

import json

import pytest
from functional_helper import RULES, Project, one_node_flow

PAIR_FLOW = one_node_flow({"a": "string", "b": "int"})
PAIR_TOOL = """\
import sys

from promptflow.core import tool


@tool
def work(a: str, b: int):
    print("printed by the tool")
    print("also by the tool", file=sys.stderr)
    return {"a": a, "b": b, "kind": type(b).__name__}
"""
PAIR_RESULT = {"out": {"a": "one two", "b": 3, "kind": "int"}}

VARIANT_FLOW = """\
inputs:
  x: {type: string}
outputs:
  out: {type: string, reference: "${greet.output}"}
nodes:
- name: greet
  use_variants: true
node_variants:
  greet:
    default_variant_id: plain
    variants:
      plain:
        node:
          type: prompt
          source: {type: code, path: plain.jinja2}
          inputs: {x: "${inputs.x}"}
      loud:
        node:
          type: prompt
          source: {type: code, path: loud.jinja2}
          inputs: {x: "${inputs.x}"}
"""


@pytest.fixture
def pair(project: Project) -> str:
    return project.flow("pair", PAIR_FLOW, work_py=PAIR_TOOL)


@pytest.mark.parametrize(
    "words",
    [
        ["--inputs", "a=one two", "b=3"],
        ["--inputs", "a=one two", "--inputs", "b=3"],
        ["--inputs", "a='one two'", 'b="3"'],
    ],
    ids=["spread", "repeated", "quoted"],
)
def test_inputs_as_words(project: Project, pair: str, words: list[str]):
    assert project.json("flow", "test", "--flow", pair, *words) == PAIR_RESULT


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("in.json", '{\n "a": "one two",\n "b": 3\n}'),
        ("in.jsonl", '{"a": "one two", "b": 3}\n{"a": "second", "b": 4}\n'),
    ],
)
def test_inputs_from_a_file(project: Project, pair: str, file: str, text: str):
    project.write(file, text)
    assert project.json("flow", "test", "--flow", pair, "--inputs", file) == PAIR_RESULT


def test_what_tools_print_does_not_disturb_the_json(project: Project, pair: str):
    done = project.run("flow", "test", "--flow", pair, "--inputs", "a=one two", "b=3", "--json")
    assert json.loads(done.stdout) == PAIR_RESULT
    assert "printed by the tool" in done.stderr
    assert "also by the tool" in done.stderr


def test_a_flow_is_named_by_its_folder_or_its_file(project: Project, pair: str):
    words = ["--inputs", "a=one two", "b=3"]
    assert project.json("flow", "test", "--flow", f"{pair}/flow.dag.yaml", *words) == PAIR_RESULT
    assert not project.home.exists()


def test_missing_inputs_are_all_named(project: Project, pair: str):
    said = project.rejected("flow", "test", "--flow", pair)
    assert "a" in said
    assert "b" in said
    assert "--inputs a=… b=…" in said


def test_a_misspelt_input_is_recognised(project: Project):
    flow = project.flow("f", one_node_flow({"question": "string"}), work_py=PAIR_TOOL)
    said = project.rejected("flow", "test", "--flow", flow, "--inputs", "qestion=1")
    assert "question" in said
    assert "Did you mean" in said


def test_an_input_that_does_not_fit_its_type_fails(project: Project, pair: str):
    done = project.run("flow", "test", "--flow", pair, "--inputs", "a=x", "b=many", "--json", code=None)
    assert done.returncode in (1, 2)
    assert "'b'" in done.stderr


def test_a_failing_node_is_shown_with_its_place(project: Project):
    tool = "from promptflow.core import tool\n\n\n@tool\ndef work(x):\n    return {}[x]\n"
    flow = project.flow("f", one_node_flow({"x": "string"}), work_py=tool)
    done = project.run("flow", "test", "--flow", flow, "--inputs", "x=absent", "--json", code=1)
    assert done.stdout == ""
    assert done.stderr == "Failed in work: KeyError: 'absent' (work.py:6)\n"


def test_a_dag_takes_no_init(project: Project, pair: str):
    assert "--init" in project.rejected("flow", "test", "--flow", pair, "--init", "x=1")


def test_a_variant_is_selected(project: Project):
    flow = project.flow("f", VARIANT_FLOW, plain_jinja2="hello {{ x }}", loud_jinja2="HELLO {{ x }}")
    words = ["flow", "test", "--flow", flow, "--inputs", "x=you"]
    assert project.json(*words) == {"out": "hello you"}
    assert project.json(*words, "--variant", "${greet.loud}") == {"out": "HELLO you"}
    assert project.json("flow", "validate", "--flow", flow)["checked"] == ["defaults", "greet.loud"]


CHAIN_FLOW = """\
inputs:
  x: {type: string}
outputs:
  path: {type: string, reference: "${third.output}"}
nodes:
- name: third
  type: python
  source: {type: code, path: add.py}
  inputs: {text: "${second.output}", word: third}
- name: second
  type: python
  source: {type: code, path: add.py}
  inputs: {text: "${first.output}", word: second}
- name: first
  type: python
  source: {type: code, path: add.py}
  inputs: {text: "${inputs.x}", word: first}
"""
CHAIN_TOOL = (
    "from promptflow.core import tool\n\n\n@tool\ndef add(text: str, word: str):\n    return f'{text}>{word}'\n"
)


def test_nodes_run_in_the_order_of_what_they_read(project: Project):
    flow = project.flow("f", CHAIN_FLOW, add_py=CHAIN_TOOL)
    found = project.json("flow", "test", "--flow", flow, "--inputs", "x=start")
    assert found == {"path": "start>first>second>third"}


@pytest.mark.parametrize("key", ["text", "second.output", "${second.output}"])
def test_one_node_alone(project: Project, key: str):
    flow = project.flow("f", CHAIN_FLOW, add_py=CHAIN_TOOL)
    assert project.json("flow", "test", "--flow", flow, "--node", "third", "--inputs", f"{key}=a") == "a>third"


def test_one_node_alone_says_what_it_needs(project: Project):
    flow = project.flow("f", CHAIN_FLOW, add_py=CHAIN_TOOL)
    assert "text" in project.rejected("flow", "test", "--flow", flow, "--node", "third")
    assert "Did you mean 'third'" in project.rejected("flow", "test", "--flow", flow, "--node", "thrid")


SLEEPY_FLOW = """\
inputs:
  x: {type: string}
outputs:
  left: {type: object, reference: "${left.output}"}
  right: {type: object, reference: "${right.output}"}
nodes:
- name: left
  type: python
  source: {type: code, path: sleepy.py}
  inputs: {x: "${inputs.x}"}
- name: right
  type: python
  source: {type: code, path: sleepy.py}
  inputs: {x: "${inputs.x}"}
"""
SLEEPY_TOOL = """\
import time

from promptflow.core import tool


@tool
def sleepy(x):
    start = time.monotonic()
    time.sleep(0.3)
    return {"start": start, "end": time.monotonic()}
"""
ASYNC_SLEEPY_TOOL = (
    SLEEPY_TOOL.replace("import time", "import asyncio\nimport time")
    .replace("def sleepy", "async def sleepy")
    .replace("time.sleep", "await asyncio.sleep")
)


@pytest.mark.parametrize("tool", [SLEEPY_TOOL, ASYNC_SLEEPY_TOOL], ids=["threads", "async"])
def test_nodes_without_a_dependency_run_at_once(project: Project, tool: str):
    flow = project.flow("f", SLEEPY_FLOW, sleepy_py=tool)
    found = project.json("flow", "test", "--flow", flow, "--inputs", "x=1")
    ends = [node["end"] for node in found.values()]
    starts = [node["start"] for node in found.values()]
    assert max(ends) - min(starts) < 0.55


def test_a_simulated_model_is_said_on_stderr_only(project: Project):
    yaml = VARIANT_FLOW.replace("type: prompt", "type: llm\n          connection: m\n          api: chat")
    yaml = yaml.replace('{x: "${inputs.x}"}', '{x: "${inputs.x}", model: m}')
    text = "# system:\nanswer in one word\n# user:\n{{ x }}"
    flow = project.flow("f", yaml, plain_jinja2=text, loud_jinja2=text)
    project.write("rules.yaml", RULES)
    done = project.run("flow", "test", "--flow", flow, "--inputs", "x=1", "--simulate", "rules.yaml", "--json")
    assert json.loads(done.stdout)["out"].startswith("Answer 0.")
    assert "Simulated" in done.stderr


VARIABLE = """\
import os
from promptflow.core import tool


@tool
def work(x: str):
    return [os.environ.get("COLOUR"), os.environ.get("SHAPE")]
"""


def test_variables_for_one_test(project: Project):
    yaml = "environment_variables: {COLOUR: red, SHAPE: round}\n" + one_node_flow({"x": "string"})
    flow = project.flow("coloured", yaml, work_py=VARIABLE)
    words = ["flow", "test", "--flow", flow, "--inputs", "x=1", "--environment-variables"]
    assert project.json(*words, "COLOUR=blue") == {"out": ["blue", "round"]}
    project.write("some.env", "COLOUR=green\nSHAPE=flat\n")
    assert project.json(*words, "some.env") == {"out": ["green", "flat"]}
    project.write(".env", "COLOUR=black\n")
    assert project.json(*words) == {"out": ["black", "round"]}, "alone: the nearest .env"


CONDITION = """\
inputs:
  on: {type: string}
outputs:
  out: {type: string, reference: "${work.output.text}"}
nodes:
- name: work
  type: python
  source: {type: code, path: work.py}
  inputs: {x: "${inputs.on}"}
  activate: {when: "${inputs.on}", is: true}
"""


def test_conditions_that_people_rarely_mean_are_said(project: Project):
    code = "from promptflow.core import tool\n\n\n@tool\ndef work(x):\n    return {'text': x}\n"
    flow = project.flow("odd", CONDITION, work_py=code)
    done = project.run("flow", "test", "--flow", flow, "--inputs", "on=true", code=1)
    assert "flow.dag.yaml:4: output 'out' reads a property of 'work'" in done.stderr
    assert "flow.dag.yaml:6: node 'work' is bypassed" in done.stderr
    assert "compares the str 'true' with the bool True" in done.stderr


def test_switches_that_every_command_of_pf_takes(project: Project):
    flow = project.echo_flow()
    assert project.json("flow", "test", "--flow", flow, "--inputs", "x=a", "--verbose", "--debug") == {"out": "a"}
