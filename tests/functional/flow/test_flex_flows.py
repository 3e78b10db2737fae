"""Flex flows through the command line: functions and classes as flows."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from functional_helper import Project, all_text, read_jsonl, runs_of

GRADER = """\
class Grader:
    def __init__(self, limit: int, label: str = "long", words: list = None):
        self.limit, self.label, self.words = limit, label, words

    def __call__(self, text: str, bonus: int = 0):
        if not text:
            raise ValueError("there is no text")
        return {"score": len(text) + bonus, "label": self.label if len(text) > self.limit else "short"}

    def __aggregate__(self, results):
        return {"mean": sum(each.score for each in results) / len(results)}
"""
SECRET = "sk-very-secret-value"
ASK = """\
from promptflow.core import Prompty


class Ask:
    def __init__(self, model: str = "small"):
        configuration = {"type": "openai", "model": model, "connection": "my_model"}
        self.prompty = Prompty.load("ask.prompty", model={"configuration": configuration})

    def __call__(self, question: str):
        return self.prompty(question=question)
"""
PROMPTY = "---\ninputs:\n  question: {type: string}\n---\nuser:\n{{ question }}\n"
RULES = "rules:\n- reply: 'The capital.'\n"


@pytest.fixture
def grader(project: Project) -> str:
    project.write("grader/flow.flex.yaml", "entry: grader:Grader\nsample: {init: {limit: 3}}\n")
    project.write("grader/grader.py", GRADER)
    return "grader"


def flex(project: Project, code: str, yaml: str = "entry: work:go\n") -> str:
    project.write("flex/flow.flex.yaml", yaml)
    project.write("flex/work.py", code)
    return "flex"


def flow_test(project: Project, flow: str, *words: str, code: int = 0, env: dict[str, str] | None = None):
    return project.json("flow", "test", "--flow", flow, *words, code=code, env=env)


def test_init_values_as_words_and_from_a_file(project: Project, grader: str):
    words = ["--inputs", "text=abcd", "--init", "limit=5", "label=big", 'words=["a"]']
    assert flow_test(project, grader, *words) == {"score": 4, "label": "short"}
    project.write("init.json", '{"limit": 2, "label": "big"}')
    assert flow_test(project, grader, "--inputs", "text=abcd", "--init", "init.json") == {"score": 4, "label": "big"}
    assert flow_test(project, grader, "--inputs", "text=abcd") == {"score": 4, "label": "long"}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["limit=2", "lable=x"], ["takes no init value 'lable'", "Did you mean 'label'?"]),
        (["label=x"], ["needs init values for: 'limit'", "--init limit=…"]),
        (["limit=two"], ["Init value 'limit' of Grader is not a valid int"]),
        (["limit=2", "words=a"], ["Init value 'words' of Grader is not a valid list"]),
    ],
)
def test_wrong_init_values_are_refused_before_anything_runs(project: Project, grader: str, words, said):
    shown = project.rejected("flow", "test", "--flow", grader, "--inputs", "text=a", "--init", *words)
    assert all(text in shown for text in said), shown


def test_an_entry_is_a_flow_without_a_file(project: Project):
    project.write("lib/words.py", "def shout(text: str, times: int = 1):\n    return text.upper() * times\n")
    assert flow_test(project, "lib.words:shout", "--inputs", "text=a", "times=3") == "AAA"
    assert not list(Path(project.root).rglob("*.yaml"))
    assert "no module 'words'" in project.rejected("flow", "test", "--flow", "words:shout", "--inputs", "text=a")
    shown = project.rejected("flow", "test", "--flow", "lib.words:shuot", "--inputs", "text=a")
    assert "Did you mean 'shout'?" in shown


def test_validate_finds_every_problem_of_the_file_at_once(project: Project):
    yaml = "entry: work.py\ninputs:\n  x: {type: strng}\n  y: 3\nsample: {input: {}}\ncode: nowhere\ninit: []\n"
    shown = project.rejected("flow", "validate", "--source", flex(project, "", yaml))
    for line, words in [
        (1, "does not name code"),
        (3, "Did you mean 'string'?"),
        (4, "'inputs.y' has no type"),
        (5, "Did you mean 'inputs'?"),
        (6, "'nowhere'"),
        (7, "'init' must be a mapping"),
    ]:
        assert any(f"flow.flex.yaml:{line}:" in text for text in shown.splitlines()), (line, shown)
        assert words in shown


def test_validate_says_what_is_fine_and_what_is_ignored(project: Project):
    flow = flex(project, "def go(x: str):\n    return x\n", "entry: work:go\nenviroment_variables: {A: b}\n")
    done = project.run("flow", "validate", "--source", flow)
    assert "is valid" in done.stdout
    assert "flow.flex.yaml:2: unknown key 'enviroment_variables' is ignored. Did you mean" in done.stderr


def test_validate_makes_the_class_with_the_values_given(project: Project, grader: str):
    project.write("grader/flow.flex.yaml", "entry: grader:Grader\n")
    assert "needs init values" in project.rejected("flow", "validate", "--source", grader)
    assert "is valid" in project.run("flow", "validate", "--source", grader, "--init", "limit=1").stdout


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("import nowhere_to_be_found\n", ["No module named 'nowhere_to_be_found'", "work.py:1", "pip install"]),
        ("1 / 0\n", ["work cannot be imported: (ZeroDivisionError)", "work.py:1"]),
        ("def go(:\n", ["(SyntaxError)", "work.py:1"]),
        ("def gone(x):\n    return x\n", ["has no 'go'", "Did you mean 'gone'?"]),
        ("def go(x, /):\n    return x\n", ["'x' by position only"]),
    ],
)
def test_code_that_cannot_be_used_is_said_with_its_place(project: Project, code: str, said: list[str]):
    shown = project.rejected("flow", "test", "--flow", flex(project, code), "--inputs", "x=1")
    assert all(text in shown for text in said), shown


def test_a_module_of_python_itself_is_found_first_and_that_is_said(project: Project):
    flow = flex(project, "", "entry: sys:go\n")
    assert "which is part of Python and not in the flow's folder" in project.rejected("flow", "test", "--flow", flow)


def test_a_failing_line_has_its_place(project: Project, grader: str):
    done = project.run("flow", "test", "--flow", grader, "--inputs", "text=", code=1)
    assert "ValueError: there is no text (grader.py:7)" in done.stderr


def test_a_run_with_init_and_metrics(project: Project, grader: str):
    data = project.jsonl("data.jsonl", [{"text": "ab"}, {"text": ""}, {"text": "abcd", "bonus": 100}])
    run = project.json("run", "create", "--flow", grader, "--data", data, "--init", "limit=2", code=1)
    assert run["lines"] == {"total": 3, "completed": 2, "failed": 1}
    assert run["metrics"] == {"mean": 3.0}
    assert any("keeps its default" in warning and "bonus" in warning for warning in run["warnings"])
    outputs = read_jsonl(run["outputs"])
    assert outputs == [
        {"line_number": 0, "score": 2, "label": "short"},
        {"line_number": 2, "score": 4, "label": "long"},
    ]


def test_failing_aggregation_is_an_error_of_the_run(project: Project, grader: str):
    data = project.jsonl("data.jsonl", [{"text": ""}])
    run = project.json("run", "create", "--flow", grader, "--data", data, "--max-failed-lines", "1", code=1)
    assert run["metrics"] == {}
    assert [(error["type"], error["node"], error["where"]) for error in run["errors"]] == [
        ("ZeroDivisionError", "__aggregate__", "grader.py:11")
    ]


def test_aggregation_that_returns_no_dict_is_a_warning(project: Project):
    code = "class go:\n    def __call__(self, x):\n        return x\n\n    def __aggregate__(self, results):\n"
    code += "        return 3\n"
    data = project.jsonl("data.jsonl", [{"x": 1}])
    run = project.json("run", "create", "--flow", flex(project, code), "--data", data)
    assert any("__aggregate__ returned a value of type int" in warning for warning in run["warnings"])


def test_columns_feed_the_inputs_that_the_code_declares(project: Project, grader: str):
    data = project.jsonl("data.jsonl", [{"txt": "ab"}])
    shown = project.rejected("run", "create", "--flow", grader, "--data", data)
    assert "Input 'text' reads ${data.text}" in shown
    assert "Did you mean 'txt'?" in shown


CONNECTED = """\
from promptflow.connections import CustomConnection


class go:
    def __init__(self, service: CustomConnection):
        self.service = service

    def __call__(self, x: str):
        return {"url": self.service.url, "secret": self.service.token}
"""


def test_a_connection_by_name(project: Project):
    env = {"SERVICE": json.dumps({"type": "custom", "configs": {"url": "u"}, "secrets": {"token": SECRET}})}
    flow = flex(project, CONNECTED)
    data = project.jsonl("data.jsonl", [{"x": "a"}])
    words = ["run", "create", "--flow", flow, "--data", data, "--init", "service=SERVICE"]
    run = project.json(*words, env=env)
    assert read_jsonl(run["outputs"]) == [{"line_number": 0, "url": "u", "secret": "******"}]
    assert SECRET not in all_text(project.home)
    shown = project.run("flow", "test", "--flow", flow, "--inputs", "x=1", "--init", "service=nowhere", code=2).stderr
    assert "Init value 'service' of go (flow.flex.yaml:1) needs the connection 'nowhere'" in shown


def test_a_connection_of_another_kind_is_refused(project: Project):
    env = {"SERVICE": json.dumps({"type": "open_ai", "api_key": SECRET})}
    words = ["flow", "test", "--flow", flex(project, CONNECTED), "--inputs", "x=1", "--init", "service=SERVICE"]
    shown = project.rejected(*words, env=env)
    assert "must be a CustomConnection; connection 'SERVICE' is of type OpenAIConnection" in shown
    assert SECRET not in shown


CONFIGURED = """\
from promptflow.core import AzureOpenAIModelConfiguration


class go:
    def __init__(self, model: AzureOpenAIModelConfiguration, other: str = ""):
        self.model = model
        if other:
            raise RuntimeError(f"{other} {model.api_key} {model}")

    def __call__(self, x: str):
        return [self.model.azure_deployment, self.model.azure_endpoint, self.model.api_key, self.model.api_version]
"""


def test_a_model_configuration_takes_over_what_its_connection_says(project: Project):
    connection = {"type": "azure_open_ai", "api_key": SECRET, "api_base": "https://e", "api_version": "v"}
    project.write("init.json", '{"model": {"azure_deployment": "d", "connection": "AZ"}}')
    words = ["--inputs", "x=1", "--init", "init.json"]
    found = flow_test(project, flex(project, CONFIGURED), *words, env={"AZ": json.dumps(connection)})
    assert found == ["d", "https://e", "******", "v"]  # the connection's key, which no output shows


def test_keys_in_init_values_are_never_shown(project: Project):
    flow = flex(project, CONFIGURED)
    model = json.dumps({"azure_deployment": "d", "azure_endpoint": "https://e", "api_key": SECRET})
    words = ["--inputs", "x=1", "--init", f"model={model}"]
    shown = project.rejected("flow", "test", "--flow", flow, *words, "other=another-secret")
    assert "The class go cannot be made: (RuntimeError) ****** ******" in shown
    assert SECRET not in shown
    assert "another-secret" not in shown
    data = project.jsonl("data.jsonl", [{"x": "a"}])
    project.json("run", "create", "--flow", flow, "--data", data, "--init", f"model={model}")
    assert SECRET not in all_text(project.home)


@pytest.mark.parametrize(
    ("model", "said"),
    [
        ({"azure_deployment": "d", "connection": "c", "api_key": SECRET}, "has a connection and also sets 'api_key'"),
        ({"azure_deployment": "d", "api_kay": SECRET}, "Did you mean 'api_key'?"),
        ({"api_key": SECRET}, "needs 'azure_deployment'"),
        (SECRET, "must be a mapping of the fields of AzureOpenAIModelConfiguration"),
    ],
)
def test_wrong_model_configurations_are_refused_without_their_values(project: Project, model: object, said: str):
    project.write("init.json", json.dumps({"model": model}))
    words = ["flow", "test", "--flow", flex(project, CONFIGURED), "--inputs", "x=1", "--init", "init.json"]
    shown = project.rejected(*words)
    assert said in shown
    assert SECRET not in shown


def test_model_calls_of_the_code_are_counted(project: Project):
    project.write("ask/flow.flex.yaml", "entry: ask:Ask\n")
    project.write("ask/ask.py", ASK)
    project.write("ask/ask.prompty", PROMPTY)
    rules = project.write("rules.yaml", RULES)
    data = project.jsonl("data.jsonl", [{"question": "one"}, {"question": "two"}])
    run = project.json("run", "create", "--flow", "ask", "--data", data, "--simulate", rules)
    assert run["usage"]["calls"] == run["usage"]["simulated_calls"] == 2
    assert [line["usage"]["calls"] for line in project.lines(run)] == [1, 1]
    assert [row["output"] for row in read_jsonl(run["outputs"])] == ["The capital.", "The capital."]


EXPERIMENT = """\
name: grades
flow: echo
datasets:
- name: few
  source: data.jsonl
  mappings: {text: "${data.words}"}
evaluators:
- name: grader
  flow: grader
  datasets:
  - name: few_graded
    reference: few
    source: data.jsonl
    mappings: {text: "${run.outputs.output}"}
"""


def test_an_experiment_with_flex_flows(project: Project, grader: str):
    project.write("echo/flow.flex.yaml", "entry: echo:go\n")
    project.write("echo/echo.py", "def go(text: str):\n    return text * 2\n")
    project.write("experiment.yaml", EXPERIMENT)
    project.jsonl("data.jsonl", [{"words": "ab"}, {"words": "abcd"}])
    result = project.json("experiment", "run", ".")
    assert [run["metrics"] for run in runs_of(result)] == [{}, {"mean": 6.0}]


@pytest.mark.parametrize("wrong", ['text: "${data.words}"', 'text: "${run.outputs.output}"'], ids=["flow", "evaluator"])
def test_an_experiment_checks_mappings_of_inputs_that_only_the_code_declares(project: Project, grader: str, wrong: str):
    project.write("echo/flow.flex.yaml", "entry: echo:go\n")
    project.write("echo/echo.py", "def go(text: str):\n    return text * 2\n")
    project.write("experiment.yaml", EXPERIMENT.replace(wrong, 'text: "${data.wrods}"'))
    project.jsonl("data.jsonl", [{"words": "ab"}])
    shown = project.rejected("experiment", "run", ".")
    assert "${data.wrods}" in shown
    assert "Did you mean 'words'?" in shown


def test_a_variant_is_ignored_with_a_warning(project: Project, grader: str):
    data = project.jsonl("data.jsonl", [{"text": "ab"}])
    run = project.json("run", "create", "--flow", grader, "--data", data, "--variant", "${node.other}")
    assert any("'node.other' are ignored" in warning for warning in run["warnings"])
