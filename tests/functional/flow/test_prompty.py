"""Prompties through the command line, in code of flows and in scripts."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from functional_helper import Project, all_text, clean_environment, one_node_flow

SECRET = "sk-9f8e7d6c5b4a"
FRONT = """\
---
name: Asker
model:
  api: chat
  configuration: {type: openai, model: small}
  parameters: {temperature: 0}
inputs:
  question: {type: string}
  tone: {type: string, default: kind}
sample: {question: sampled}
---
system:
Be {{tone}}.
user:
{{question}}
"""
ECHO_RULES = """\
rules:
- when: {user: json}
  reply: '{"label": "yes", "score": 1}'
- reply: "{{ system }} {{ user }}"
"""
INLINE = "{type: openai, model: small, api_key: '${env:MY_KEY}', base_url: '${env:MY_URL}'}"
AS_JSON = FRONT.replace("temperature: 0", "response_format: {type: json_object}")
USE = "import promptflow.core\nfrom promptflow.core import AsyncPrompty, Prompty, tool\n\n\n"


@pytest.fixture
def asker(project: Project) -> Project:
    """A project with ``ask.prompty`` and rules that echo what was asked."""
    project.write("ask.prompty", FRONT)
    project.write("rules.yaml", ECHO_RULES)
    return project


def edit(project: Project, old: str, new: str) -> None:
    assert old in FRONT
    project.write("ask.prompty", FRONT.replace(old, new))


def test_one_line(asker: Project) -> None:
    test = ("flow", "test", "--flow", "ask.prompty", "--simulate", "rules.yaml")
    done = asker.run(*test, "--inputs", "question=Why?", "tone=brief")
    assert json.loads(done.stdout) == "Be brief. Why?"
    assert "Simulated model" in done.stderr
    assert asker.json(*test) == "Be kind. sampled"


def test_the_outputs_of_json(asker: Project) -> None:
    asker.write("ask.prompty", AS_JSON)
    test = ("flow", "test", "--flow", "ask.prompty", "--simulate", "rules.yaml", "--inputs", "question=json")
    assert asker.json(*test) == {"label": "yes", "score": 1}


def test_over_data(asker: Project) -> None:
    data = asker.jsonl("data.jsonl", [{"question": "a"}, {"question": "b"}, {"other": 1}])
    run = asker.json("run", "create", "--flow", "ask.prompty", "--data", data, "--simulate", "rules.yaml", code=1)
    assert run["usage"]["calls"] == run["usage"]["simulated_calls"] == 2
    lines = asker.lines(run)
    assert [line["outputs"] for line in lines] == [{"output": "Be kind. a"}, {"output": "Be kind. b"}, {}]
    assert [line["is_bare"] for line in lines] == [True, True, False]
    assert [line["usage"].get("calls") for line in lines] == [1, 1, None]  # what was not used is left out
    assert lines[2]["error"]["type"] == "ColumnMissing"


def test_a_prompty_as_evaluator_and_as_the_flow_of_an_experiment(asker: Project) -> None:
    asker.write(
        "judge.prompty",
        AS_JSON.replace("Asker", "Judge").replace("{{question}}", "As json: {{answer}}").replace("question", "answer"),
    )
    asker.jsonl("data.jsonl", [{"question": "json"}])
    asker.write(
        "experiment.yaml",
        """\
name: asked
flow: ask.prompty
datasets:
- {name: d, source: data.jsonl, mappings: {question: "${data.question}"}}
evaluators:
- name: judge
  flow: judge.prompty
  datasets:
  - {name: d, mappings: {answer: "${run.outputs.output}"}}
""",
    )
    asker.run("experiment", "run", ".", "--simulate", "rules.yaml")
    stored = all_text(asker.home / "runs")
    assert '"outputs": {"label": "yes", "score": 1}' in stored


def test_a_prompty_is_checked_without_being_run(asker: Project) -> None:
    done = asker.run("flow", "validate", "--flow", "ask.prompty", env={"OPENAI_API_KEY": SECRET})
    assert "is valid" in done.stdout
    edit(asker, "Be {{tone}}.", "Be {{tune}}.")
    done = asker.run("flow", "validate", "--flow", "ask.prompty", env={"OPENAI_API_KEY": SECRET})
    assert "the prompt reads 'tune', which is no input, so it renders empty. Did you mean 'tone'?" in done.stderr
    edit(asker, "{{question}}", "{% if %}")
    said = asker.rejected("flow", "validate", "--flow", "ask.prompty", env={"OPENAI_API_KEY": SECRET})
    assert "ask.prompty:15" in said


def test_every_problem_at_once(asker: Project) -> None:
    edit(asker, "{type: openai, model: small}", "{type: opnai}")
    asker.write("ask.prompty", (asker.root / "ask.prompty").read_text().replace("type: string}", "type: sting}"))
    said = asker.rejected("flow", "test", "--flow", "ask.prompty", "--simulate", "rules.yaml")
    assert "2 problems" in said
    for place in ("ask.prompty:5", "ask.prompty:8"):
        assert place in said


def test_what_is_not_set_is_said_before_anything_runs(asker: Project) -> None:
    said = asker.rejected("flow", "test", "--flow", "ask.prompty")
    assert "Prompty 'Asker' (ask.prompty:5) takes its connection from the environment" in said
    assert "export OPENAI_API_KEY=" in said
    assert "--simulate" in said
    edit(asker, "{type: openai, model: small}", "{connection: mine, model: small}")
    assert "'mine'" in asker.rejected("flow", "test", "--flow", "ask.prompty")
    edit(asker, "{type: openai, model: small}", INLINE)
    said = asker.rejected("flow", "test", "--flow", "ask.prompty", env={"MY_URL": "http://127.0.0.1:9"})
    assert "environment variable MY_KEY, which is not set" in said


@pytest.mark.parametrize("configuration", ["{type: openai, model: small}", "{connection: mine, model: s}", INLINE])
def test_simulation_needs_no_connection(asker: Project, configuration: str) -> None:
    edit(asker, "{type: openai, model: small}", configuration)
    test = ("flow", "test", "--flow", "ask.prompty", "--inputs", "question=x")
    assert asker.json(*test, "--simulate", "rules.yaml") == "Be kind. x"
    assert asker.json(*test, env={"FLOWYARD_SIMULATE": "rules.yaml"}) == "Be kind. x"


def test_a_simulation_file_that_is_missing(asker: Project) -> None:
    said = asker.rejected("flow", "test", "--flow", "ask.prompty", env={"FLOWYARD_SIMULATE": "no.yaml"})
    assert "FLOWYARD_SIMULATE: there is no file no.yaml" in said


def test_variables_of_an_env_file(asker: Project, simulated_server: str) -> None:
    edit(asker, "{type: openai, model: small}", INLINE)
    asker.write(".env", f"MY_KEY={SECRET}\nMY_URL={simulated_server}/v1\n")
    test = ("flow", "test", "--flow", "ask.prompty", "--inputs", "question=What is the capital of France?")
    assert asker.json(*test) == "The capital."
    edit(asker, "{type: openai, model: small}", "{type: azure_openai, azure_deployment: d}")
    asker.write(".env", f"AZURE_OPENAI_API_KEY={SECRET}\nAZURE_OPENAI_ENDPOINT={simulated_server}\n")
    assert asker.json(*test) == "The capital."


def test_a_connection_by_name(asker: Project, simulated_server: str) -> None:
    edit(asker, "{type: openai, model: small}", "{connection: mine, model: small}")
    mine = json.dumps({"type": "open_ai", "api_key": SECRET, "base_url": f"{simulated_server}/v1"})
    test = ("flow", "test", "--flow", "ask.prompty", "--inputs", "question=What is the capital of France?")
    assert asker.json(*test, env={"mine": mine}) == "The capital."


@pytest.mark.parametrize("configuration", [f"{{type: openai, model: small, api_key: {SECRET}}}", INLINE])
def test_no_secret_is_shown(asker: Project, configuration: str) -> None:
    edit(asker, "{type: openai, model: small}", configuration.replace("}", ", base_url: 'http://127.0.0.1:9'}", 1))
    asker.write("ask.prompty", (asker.root / "ask.prompty").read_text().replace("temperature: 0", "timeout: 0.2"))
    if configuration == INLINE:
        edit(asker, "{type: openai, model: small}", INLINE.replace("'${env:MY_URL}'", "'http://127.0.0.1:9'"))
    data = asker.jsonl("data.jsonl", [{"question": f"is {SECRET} safe?"}])
    edited = (asker.root / "ask.prompty").read_text().replace("{{question}}", "{{question}}{{ 1 // 0 }}")
    asker.write("ask.prompty", edited)
    done = asker.run("run", "create", "--flow", "ask.prompty", "--data", data, code=1, env={"MY_KEY": SECRET})
    assert SECRET not in done.stdout + done.stderr + all_text(asker.home)


def test_the_whole_response_is_stored(asker: Project) -> None:
    edit(asker, "  api: chat", "  api: chat\n  response: all")
    data = asker.jsonl("data.jsonl", [{"question": "a"}])
    run = asker.json("run", "create", "--flow", "ask.prompty", "--data", data, "--simulate", "rules.yaml")
    (line,) = asker.lines(run)
    assert line["outputs"]["output"]["choices"][0]["message"]["content"] == "Be kind. a"
    test = ("flow", "test", "--flow", "ask.prompty", "--inputs", "question=b", "--simulate", "rules.yaml")
    assert asker.json(*test)["object"] == "chat.completion"


def test_the_chunks_of_a_whole_response_are_stored(asker: Project) -> None:
    edit(asker, "  parameters: {temperature: 0}", "  response: all\n  parameters: {stream: true}")
    test = ("flow", "test", "--flow", "ask.prompty", "--inputs", "question=b", "--simulate", "rules.yaml")
    pieces = [chunk["choices"][0]["delta"].get("content") for chunk in asker.json(*test) if chunk["choices"]]
    assert "".join(filter(None, pieces)) == "Be kind. b"


TOOLS = {
    "in a thread of its own": (
        "import threading\n\n\n@tool\ndef work(x):\n    found = []\n"
        '    ask = lambda: found.append(Prompty.load("../ask.prompty")(question=x))\n'
        "    threads = [threading.Thread(target=ask) for _ in range(3)]\n"
        "    [t.start() for t in threads]\n    [t.join() for t in threads]\n    return found[0]\n"
    ),
    "loaded when imported": (
        'PROMPTY = Prompty.load("../ask.prompty")\n\n\n@tool\ndef work(x):\n    return PROMPTY(question=x)\n'
    ),
    "beside a running loop": ('@tool\nasync def work(x):\n    return Prompty.load("../ask.prompty")(question=x)\n'),
    "many at once": (
        "import asyncio\n\n\n@tool\nasync def work(x):\n"
        '    prompty = AsyncPrompty.load("../ask.prompty")\n'
        "    answers = await asyncio.gather(*(prompty(question=x) for _ in range(20)))\n"
        "    assert len(set(answers)) == 1\n    return answers[0]\n"
    ),
    "as a stream": (
        '@tool\ndef work(x):\n    return Prompty.load("../ask.prompty", model={"parameters": {"stream": True}})'
        "(question=x)\n"
    ),
    "as an asynchronous stream": (
        "@tool\nasync def work(x):\n"
        '    prompty = AsyncPrompty.load("../ask.prompty", model={"parameters": {"stream": True}})\n'
        "    return await prompty(question=x)\n"
    ),
    "as part of a stream": (
        '@tool\ndef work(x):\n    prompty = Prompty.load("../ask.prompty", model={"parameters": {"stream": True}})\n'
        "    pieces = prompty(question=x)\n    first = next(pieces)\n    pieces.close()\n"
        '    return first + " kind. " + x\n'
    ),
}


@pytest.mark.parametrize("how", TOOLS)
def test_in_the_code_of_a_flow(asker: Project, how: str) -> None:
    """It shares the flow's simulated model, and its calls are counted, also those of threads that code starts."""
    asker.flow("flow", one_node_flow({"x": "string"}), work_py=USE + TOOLS[how])
    data = asker.jsonl("data.jsonl", [{"x": "a"}, {"x": "b"}])
    run = asker.json("run", "create", "--flow", "flow", "--data", data, "--simulate", "rules.yaml")
    assert [line["outputs"] for line in asker.lines(run)] == [{"out": "Be kind. a"}, {"out": "Be kind. b"}]
    if how != "as part of a stream":  # what is closed early is counted when it has closed, which may be after the run
        calls = {"in a thread of its own": 6, "many at once": 40}.get(how, 2)
        assert run["usage"]["calls"] == run["usage"]["simulated_calls"] == calls


def script(project: Project, code: str, **env: str) -> str:
    """What a script prints that imports promptflow's names, without a flow around it."""
    start = "import flowyard.as_promptflow\n\n"
    file = project.write("script.py", start + USE + code)
    done = subprocess.run(
        [sys.executable, "-W", "error", "-X", "dev", file],
        cwd=project.root,
        env=clean_environment(env),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    # On a busy machine asyncio's debugging, which "-X dev" switches on, says that a task was slow.
    assert [line for line in done.stderr.splitlines() if not line.startswith("Executing <")] == []
    return done.stdout


def test_in_a_script(asker: Project, simulated_server: str) -> None:
    code = """\
import asyncio

p = Prompty.load("ask.prompty")
print(p(question="What is the capital of France?", unknown=1))


async def main():
    print(p(question="What is the capital of Spain?"))
    a = AsyncPrompty.load(source="ask.prompty")
    print(await a(question="What is the capital of Italy?"))


asyncio.run(main())
print(p.name, p.path.name, p.code.name, p.render(question="x"))
"""
    said = script(asker, code, OPENAI_API_KEY=SECRET, OPENAI_BASE_URL=f"{simulated_server}/v1")
    messages = [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "x"}]
    assert said.splitlines() == ["The capital."] * 3 + [f"Asker ask.prompty project {messages}"]


def test_a_script_may_be_simulated(asker: Project) -> None:
    code = """\
p = Prompty.load("ask.prompty", model={"parameters": {"stream": True}})
stream = p(question="x")
print(type(stream).__name__, list(stream))
abandoned = p(question="y")
next(abandoned)
del abandoned
"""
    said = script(asker, code, FLOWYARD_SIMULATE="rules.yaml")
    assert said == "generator ['Be', ' kind.', ' x']\n"


ERRORS: dict[str, tuple[str, str]] = {
    "no.prompty": ('Prompty.load("no.prompty")', "File not found"),
    "not a prompty": ('Prompty.load("rules.yaml")', "is not a prompty"),
    "missing": ('p(qestion="x")', "lacks required inputs: 'question'. Did you mean 'question'?"),
    "by position": ('p("x")', "takes its inputs by name"),
    "render by position": ('p.render("x")', "takes its inputs by name"),
    "timeout": ('p(question="x", timeout="soon")', "'timeout' must be a number"),
    "tokens": ('p.estimate_token_count(question="x")', "needs the package tiktoken"),
    "max_tokens": (
        'Prompty.load("ask.prompty", model={"parameters": {"max_tokens": "9"}}).estimate_token_count(question="x")',
        "'max_tokens' must be a whole number above 1",
    ),
}


@pytest.mark.parametrize("case", ERRORS)
def test_errors_are_clear(asker: Project, case: str) -> None:
    call, word = ERRORS[case]
    code = f"""\
import sys

sys.modules["tiktoken"] = None
p = Prompty.load("ask.prompty")
try:
    {call}
except Exception as error:
    print(type(error).__name__, error, *getattr(error, "__notes__", ()))
"""
    assert word in " ".join(script(asker, code, FLOWYARD_SIMULATE="rules.yaml").split())


def test_tokens_are_estimated(asker: Project) -> None:
    asker.write(
        "tiktoken.py",
        """\
class Words:
    def encode(self, text, **_):
        return text.split()


def encoding_for_model(model):
    return Words()
""",
    )
    code = """\
print(Prompty.load("ask.prompty").estimate_token_count(question="one two"))
print(Prompty.load("ask.prompty", model={"parameters": {"max_tokens": 10}}).estimate_token_count(question="one two"))
"""
    count = 3 + (3 + 1 + 2) + (3 + 1 + 2)
    assert script(asker, code, FLOWYARD_SIMULATE="rules.yaml").split() == [str(count), str(count + 10)]


CONFIGURATIONS: dict[str, tuple[str, dict[str, Any]]] = {
    "by fields": (
        'OpenAIModelConfiguration(model="m", api_key="${env:K}", base_url=os.environ["U"])',
        {},
    ),
    "from a connection": (
        'OpenAIModelConfiguration.from_connection(OpenAIConnection(api_key="k", base_url=os.environ["U"]), model="m")',
        {},
    ),
    "with a connection": ('OpenAIModelConfiguration(model="m", connection="mine")', {}),
    "azure": (
        'AzureOpenAIModelConfiguration(azure_deployment="m", api_key="k", azure_endpoint=os.environ["U"][:-3])',
        {},
    ),
}


@pytest.mark.parametrize("case", CONFIGURATIONS)
def test_a_model_configuration_object(asker: Project, simulated_server: str, case: str) -> None:
    edit(asker, "{type: openai, model: small}", "{type: azure_openai, azure_deployment: other, api_key: other}")
    code = f"""\
import os

from promptflow.connections import OpenAIConnection
from promptflow.core import AzureOpenAIModelConfiguration, OpenAIModelConfiguration

configuration = {CONFIGURATIONS[case][0]}
p = Prompty.load("ask.prompty", model={{"configuration": configuration}})
print(p(question="What is the capital of France?"))
print("{SECRET}" in repr(configuration))
"""
    mine = json.dumps({"type": "open_ai", "api_key": SECRET, "base_url": f"{simulated_server}/v1"})
    said = script(asker, code, U=f"{simulated_server}/v1", K=SECRET, mine=mine)
    assert said.split("\n")[:2] == ["The capital.", "False"]


def test_the_prompty_s_folder_is_where_its_files_are(asker: Project, tmp_path: Path) -> None:
    asker.write("sub/ask.prompty", FRONT.replace("{question: sampled}", "${file:sample.json}"))
    asker.write("sub/sample.json", '{"question": "filed"}')
    test = ("flow", "test", "--flow", "sub/ask.prompty", "--simulate", "rules.yaml")
    assert asker.json(*test) == "Be kind. filed"
