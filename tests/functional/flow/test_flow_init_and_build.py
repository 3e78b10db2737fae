"""``flow init`` and ``flow build``: what they write runs."""

from __future__ import annotations

import json
import urllib.request
from importlib import metadata
from pathlib import Path

import pytest
from functional_helper import PATIENCE_S, RULES, Project, ending, flowyard, one_node_flow, start_flowyard, wait_for_text

ASK = """\
inputs:
  question: {type: string}
outputs:
  answer: {type: string, reference: "${ask.output}"}
nodes:
- {name: ask, use_variants: true}
node_variants:
  ask:
    default_variant_id: long
    variants:
      long: {node: {type: llm, source: {type: code, path: long.jinja2}, api: chat, connection: my_model,
        inputs: {deployment_name: m, question: "${inputs.question}"}}}
      short: {node: {type: llm, source: {type: code, path: short.jinja2}, api: chat, connection: my_model,
        inputs: {deployment_name: m, question: "${inputs.question}"}}}
"""
PROMPT = "system:\nYou answer in one word.\nuser:\n{{ question }}\n"


def make(project: Project, *words: str, code: int = 0) -> str:
    """Run ``flow init``, which takes no home; returns what it said."""
    done = flowyard("flow", "init", "--flow", *words, cwd=project.root)
    assert done.returncode == code, done.stderr
    return done.stdout + done.stderr


@pytest.mark.parametrize("kind", ["standard", "evaluation", "chat"])
def test_a_new_flow_runs(project: Project, kind: str):
    make(project, "fresh", "--type", kind)
    project.write("rules.yaml", "rules:\n- reply: Hello.\n")
    words = ["--inputs", "fresh/data.jsonl", "--simulate", "rules.yaml"]
    assert project.json("flow", "test", "--flow", "fresh", *words)
    run = project.json("run", "create", "--flow", "fresh", "--data", "fresh/data.jsonl", "--simulate", "rules.yaml")
    assert run["lines"]["completed"] == 1
    assert "already has" in make(project, "fresh", "--type", kind, code=2)


def test_a_flow_around_code_that_exists(project: Project):
    project.write(
        "mine/greet.py", "def greet(name: str, prompt: str, times: int = 2):\n    return [prompt, name] * times\n"
    )
    project.write("mine/hello.jinja2", "Say {{ word }}")
    words = ["--entry", "greet.py", "--function", "greet", "--prompt-template", "prompt=hello.jinja2"]
    make(project, "mine", *words)
    tried = project.json("flow", "test", "--flow", "mine", "--inputs", "name=Ann", "word=hi")
    assert tried == {"output": ["Say hi", "Ann", "Say hi", "Ann"]}
    assert "exists already" in make(project, "mine", *words, code=2)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--entry", "greet.py"], "both --entry"),
        (["--entry", "greet.py", "--function", "gret"], "greet"),
        (["--entry", "nowhere.py", "--function", "greet"], "nowhere.py"),
        (["--entry", "greet.py", "--function", "greet", "--prompt-template", "prompts=x"], "no parameter 'prompts'"),
    ],
)
def test_code_that_cannot_be_wrapped(project: Project, words: list[str], said: str):
    project.write("mine/greet.py", "def greet(prompt):\n    return prompt\n")
    assert said in make(project, "mine", *words, code=2)
    assert [file.name for file in (project.root / "mine").iterdir()] == ["greet.py"]


def built(project: Project, *more: str) -> Path:
    flow = project.flow("asking", ASK, long_jinja2="Long: " + PROMPT, short_jinja2=PROMPT)
    project.write("asking/.env", "OTHER=s3cret-in-env-file\n")
    project.write("asking/requirements.txt", "promptflow\npromptflow-tools==1.4\nbeautifulsoup4\n")
    model = {"type": "azure_open_ai", "api_key": "s3cret-key", "api_base": "https://a.example"}
    env = {"my_model": json.dumps(model), "PIP_NO_INDEX": "1"}
    project.run("flow", "build", "--source", flow, "--output", "out", *more, env=env)
    return project.root / "out"


def test_a_build_context_holds_no_secret(project: Project):
    out = built(project, "--variant", "${ask.short}")
    for file in out.rglob("*"):
        if file.is_file():
            assert b"s3cret" not in file.read_bytes(), file
    assert not (out / "flow" / ".env").exists()
    assert (out / "settings.env").read_text("utf-8").split() == ["FLOWYARD_SERVE_KEY=", "MY_MODEL_API_KEY="]
    assert "beautifulsoup4" in (out / "requirements.txt").read_text("utf-8")
    assert "promptflow" not in (out / "requirements.txt").read_text("utf-8")
    definition = (out / "flow" / "flow.dag.yaml").read_text("utf-8")
    assert "default_variant_id: short" in definition
    project.write("rules.yaml", RULES)
    words = ["--source", "asking", "--output", "out", "--simulate", "rules.yaml"]
    assert "not empty" in project.rejected("flow", "build", *words)


def test_what_was_built_serves(project: Project, simulated_server: str):
    """What the image's command does, from the context's own files and variables."""
    out = built(project, "--variant", "${ask.short}")
    connection = out / "connections" / "my_model.yaml"
    connection.write_text(connection.read_text("utf-8").replace("https://a.example", simulated_server), "utf-8")
    (out / ".flowyard").mkdir()
    ready = project.root / "ready"
    env = {"MY_MODEL_API_KEY": "k", "FLOWYARD_SERVE_KEY": "sk"}
    words = ["flow", "serve", "--source", "flow/flow.dag.yaml", "--host", "0.0.0.0", "--port", "0"]
    with ending(start_flowyard(*words, "--ready-file", ready, cwd=out, env=env)):
        port = wait_for_text(ready).rpartition(":")[2]
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}/score",
            data=b'{"question": "What is the capital of Latvia?"}',
            headers={"Authorization": "Bearer sk"},
        )
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
            assert json.loads(answer.read()) == {"answer": "The capital."}


def test_requirements_named_by_the_flow(project: Project):
    yaml = "environment:\n  python_requirements_txt: needs.txt\n  image: example.org/base:1\n" + one_node_flow(
        {"x": "string"}
    )
    tool = "from promptflow.core import tool\n\n\n@tool\ndef work(x):\n    return x\n"
    flow = project.flow("needy", yaml, work_py=tool, needs_txt="numpy\n")
    project.run("flow", "build", "--source", flow, "--output", "out", env={"PIP_NO_INDEX": "1"})
    lines = (project.root / "out" / "requirements.txt").read_text("utf-8").splitlines()
    assert f"numpy=={metadata.version('numpy')}" in lines
    assert "ARG BASE_IMAGE=example.org/base:1" in (project.root / "out" / "Dockerfile").read_text("utf-8")
