"""``.prompty`` files: every problem at once with its line, tolerance, overrides."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from flowyard.errors import FlowInvalid
from flowyard.flows.model import PromptyFlow
from flowyard.flows.prompty import load_prompty

HEAD = "model:\n  configuration: {type: openai, model: small}\n"


def load(tmp_path: Path, front: str, template: str = "user:\nhi\n", **overrides: Any) -> PromptyFlow:
    path = tmp_path / "ask.prompty"
    path.write_text(f"---\n{front}---\n{template}", "utf-8")
    return load_prompty(path, overrides)


def test_everything_is_read(tmp_path: Path) -> None:
    flow = load(
        tmp_path,
        """\
name: asker
model:
  api: completion
  response: all
  configuration: {type: azure_openai, azure_deployment: d}
  parameters: {temperature: 0, stop: [a]}
inputs:
  a: {type: string, description: what, is_chat_input: true}
  b: {type: int, default: 3}
  c: {type: number, default: null}
  chat_history: {type: list}
  d: {default: 2.5}
outputs:
  x: {type: number}
  y:
sample: {a: shown}
environment_variables: {A: b}
""",
    )
    assert (flow.name, flow.api, flow.response) == ("asker", "completion", "all")
    assert dict(flow.configuration) == {"type": "azure_openai", "azure_deployment": "d"}
    assert dict(flow.parameters) == {"temperature": 0, "stop": ["a"]}
    assert {name: (each.type, each.default, each.required) for name, each in flow.inputs.items()} == {
        "a": ("string", None, True),
        "b": ("int", 3, False),
        "c": ("double", None, False),
        "chat_history": ("list", None, True),
        "d": ("double", 2.5, False),
    }
    assert flow.inputs["a"].is_chat_input
    assert flow.inputs["chat_history"].is_chat_history
    assert flow.inputs["b"].where == "ask.prompty:10"
    assert {name: each.type for name, each in flow.outputs.items()} == {"x": "double", "y": "string"}
    assert (dict(flow.sample), dict(flow.environment_variables)) == ({"a": "shown"}, {"A": "b"})
    assert (flow.template, flow.template_line, flow.where) == ("user:\nhi\n", 20, "ask.prompty:6")


def test_the_name_is_the_file_s_and_inputs_come_from_the_sample(tmp_path: Path) -> None:
    flow = load(tmp_path, HEAD + "sample: {a: x, b: 1, c: 1.5, d: true, e: [1], f: {g: 1}, h: null}\n")
    assert flow.name == "ask"
    kinds = {"a": "string", "b": "int", "c": "double", "d": "bool", "e": "list", "f": "object", "h": "object"}
    assert {name: each.type for name, each in flow.inputs.items()} == kinds
    assert list(flow.outputs) == ["output"]
    assert not flow.declared_outputs


def test_every_problem_is_listed_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(FlowInvalid) as caught:
        load(
            tmp_path,
            """\
model:
  api: chats
  configuration:
    type: azure_openia
    api_key: ${file:key.txt}
  parameters:
    tools: []
    temperature: 0
inputs:
  a: {type: strin}
  b: text
outputs: [x]
sample: [x]
environment_variables: x
""",
            template="\n",
        )
    said = {str(problem).partition("\n")[0] for problem in caught.value.problems}
    assert said == {
        "ask.prompty:3: There is no model api 'chats'.",
        "ask.prompty:5: The configuration has the unknown type 'azure_openia'.",
        "ask.prompty:6: The file key.txt does not exist.",
        "ask.prompty:14: 'sample' must be a mapping of inputs, or the path of a .json file that holds one.",
        "ask.prompty:8: 'tools' must be a list with at least one tool.",
        "ask.prompty:11: Input 'a' has the unknown type 'strin'.",
        "ask.prompty:12: Input 'b' must be a mapping, such as {type: string}.",
        "ask.prompty:13: 'outputs' must be a mapping.",
        "ask.prompty:15: 'environment_variables' must be a mapping.",
        "ask.prompty:17: There is no prompt.",
    }
    assert "Did you mean 'azure_openai'?" in str(caught.value)
    assert "Did you mean 'string'?" in str(caught.value)


@pytest.mark.parametrize(
    ("front", "word"),
    [
        ("- a\n", "not a YAML mapping"),
        ("name: x\n", "does not say which model"),
        ("model: text\n", "'model' must be a mapping"),
        ("model: {configuration: text}\n", "'model.configuration' must be a mapping"),
        ("model: {configuration: {model: m}}\n", "has no type"),
        ("model: {configuration: {connection: c, type: openai, model: m, base_url: u}}\n", "also sets 'base_url'"),
        (HEAD + "  parameters: [a]\n", "'model.parameters' must be a mapping"),
        (HEAD + "sample: [a]\n", "'sample' must be a mapping"),
        (HEAD + "sample: ${file:bad.json}\n", "not valid JSON"),
        (HEAD + "sample: bad.json\n", "cannot be read"),
        (HEAD + "  parameters: {tools: [a]}\n", "Tool 1 must be a mapping"),
        (HEAD + "  parameters: {tools: [{type: function, function: {name: a}}]}\n", "'name' and 'parameters'"),
        (HEAD + "  parameters: {functions: {}}\n", "'functions' must be a list"),
        (HEAD + "  parameters: {functions: [{name: a, parameters: {type: array}}]}\n", "type 'object'"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, front: str, word: str) -> None:
    (tmp_path / "bad.json").write_text("{", "utf-8")
    with pytest.raises(FlowInvalid, match=word):
        load(tmp_path, front)


TOOL = {"type": "function", "function": {"name": "a", "parameters": {"type": "object", "properties": {}}}}


@pytest.mark.parametrize("choice", ["sometimes", {"type": "function"}, {"function": {"name": "a"}}, 5])
def test_a_bad_tool_choice_is_refused(tmp_path: Path, choice: Any) -> None:
    with pytest.raises(FlowInvalid, match="'tool_choice' must be"):
        load(tmp_path, HEAD, model={"parameters": {"tools": [TOOL], "tool_choice": choice}})


@pytest.mark.parametrize("choice", [None, "auto", "none", "required", {"type": "function", "function": {"name": "a"}}])
def test_a_good_tool_choice_is_taken(tmp_path: Path, choice: Any) -> None:
    load(tmp_path, HEAD, model={"parameters": {"tools": [TOOL], "tool_choice": choice}})


@pytest.mark.parametrize("choice", ["sometimes", {}])
def test_a_bad_function_call_is_refused(tmp_path: Path, choice: Any) -> None:
    parameters = {"functions": [TOOL["function"]], "function_call": choice}
    with pytest.raises(FlowInvalid, match="'function_call' must be"):
        load(tmp_path, HEAD, model={"parameters": parameters})


def test_odd_things_are_warned_of(tmp_path: Path) -> None:
    flow = load(
        tmp_path,
        """\
modle: {}
something: else
model:
  respones: all
  response: second
  configuration:
    type: openai
    model: small
    api_kye: k
    api_key: ${env:SURELY_UNSET} and more
outputs: {answer: {type: string}}
""",
    )
    assert [warning.partition(". ")[0] for warning in flow.warnings] == [
        "ask.prompty:11: what follows ${env:SURELY_UNSET} in the same text is dropped, as in prompt flow.",
        "ask.prompty:2: unknown key 'modle' is ignored",
        "ask.prompty:5: unknown key 'respones' is ignored",
        "ask.prompty:10: unknown key 'api_kye' is ignored",
        "ask.prompty:6: 'response' is first or all; 'second' is taken as first.",
        "ask.prompty:12: the model's answer is one text, named 'output'; 'response_format: {type: json_object}' in the "
        "parameters makes it those outputs.",
    ]


def test_references_are_resolved_in_the_file_and_in_overrides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PART", "from environment")
    (tmp_path / "data.json").write_text(json.dumps({"a": [1]}), "utf-8")
    (tmp_path / "data.yml").write_text("a: 2\n", "utf-8")
    (tmp_path / "data.txt").write_text("\ufeffplain", "utf-8")
    flow = load(
        tmp_path,
        HEAD
        + "  parameters: {a: '${env:PART}', b: ['${ENV:PART}'], c: '${env:SURELY_UNSET}', d: '${x:y}', "
        + "e: 'a ${env:PART}'}\n",
        model={"parameters": {"f": "${file:data.json}", "g": "${FILE:data.yml}", "h": "${file:data.txt}"}},
    )
    assert dict(flow.parameters) == {
        "a": "from environment",
        "b": ["from environment"],
        "c": "${env:SURELY_UNSET}",
        "d": "${x:y}",
        "e": "a ${env:PART}",
        "f": {"a": [1]},
        "g": {"a": 2},
        "h": "plain",
    }


def test_overrides_are_laid_over_the_file(tmp_path: Path) -> None:
    flow = load(
        tmp_path,
        HEAD + "  parameters: {temperature: 1, response_format: {type: json_object}}\ninputs: {a: {type: string}}\n",
        name="other",
        model={"configuration": {"model": "large"}, "parameters": {"temperature": 0, "response_format": "text"}},
        inputs={"a": {"default": "x"}, "b": {"type": "int"}},
    )
    assert flow.name == "other"
    assert dict(flow.configuration) == {"type": "openai", "model": "large"}
    assert dict(flow.parameters) == {"temperature": 0, "response_format": "text"}
    assert {name: (each.type, each.default) for name, each in flow.inputs.items()} == {
        "a": ("string", "x"),
        "b": ("int", None),
    }


def test_a_configuration_may_take_the_place_of_the_file_s(tmp_path: Path) -> None:
    path = tmp_path / "ask.prompty"
    path.write_text("---\nmodel: {configuration: {type: openai, model: m, api_key: k}}\n---\nuser:\nhi\n", "utf-8")
    flow = load_prompty(path, configuration={"type": "openai", "model": "n", "connection": "c"})
    assert dict(flow.configuration) == {"type": "openai", "model": "n", "connection": "c"}


@pytest.mark.parametrize(
    ("parameters", "outputs", "names"),
    [
        ("{}", "", ("output",)),
        ("{}", "outputs: {a: {}}\n", ("output",)),
        ("{response_format: {type: json_object}}", "", None),
        ("{response_format: {type: json_object}}", "outputs: {a: {}, b: {}}\n", ("a", "b")),
        ("{response_format: {type: json_schema}}", "", ("output",)),
        (f"{{tools: [{json.dumps(TOOL)}]}}", "", None),
    ],
)
def test_the_names_of_the_outputs(tmp_path: Path, parameters: str, outputs: str, names: Any) -> None:
    assert load(tmp_path, HEAD + f"  parameters: {parameters}\n{outputs}").output_names == names
