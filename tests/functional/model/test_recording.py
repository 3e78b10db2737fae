"""Model calls recorded once, and answered from the file with no key and no network."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from counting_server import CountingServer, counting_server
from functional_helper import RULES, Project, read_jsonl

FLOW = """\
inputs:
  question: {type: string}
outputs:
  answer: {type: string, reference: "${shorter.output}"}
  length: {type: string, reference: "${measure.output}"}
nodes:
- name: ask
  type: llm
  source: {type: code, path: ask.jinja2}
  inputs: {model: small, deployment_name: small, given: "${inputs.question}"}
  connection: my_model
  api: chat
- name: shorter
  type: llm
  source: {type: code, path: shorter.jinja2}
  inputs: {model: small, deployment_name: small, given: "${ask.output}"}
  connection: my_model
  api: chat
- name: measure
  type: python
  source: {type: code, path: measure.py}
  inputs: {text: "${shorter.output}", conn: my_model}
"""
PROMPT = "# system:\n%s\n# user:\n{{ given }}\n"
MEASURE = """\
from promptflow.core import tool
from promptflow.connections import OpenAIConnection


@tool
def measure(text: str, conn: OpenAIConnection):
    return str(len(text))
"""
COMMAND = ("run", "create", "--flow", "asking", "--data", "data.jsonl")


@pytest.fixture
def server() -> Iterator[CountingServer]:
    with counting_server() as running:
        yield running


def write_flow(project: Project, *, prompt: str = "Answer.") -> None:
    project.flow("asking", FLOW, measure_py=MEASURE)
    project.write("asking/ask.jinja2", PROMPT % prompt)
    project.write("asking/shorter.jinja2", PROMPT % "Say it shorter.")
    project.jsonl("data.jsonl", [{"question": "What is 1?"}, {"question": "What is 2?"}, {"question": "What is 1?"}])


def recorded(project: Project) -> list[dict[str, Any]]:
    return read_jsonl(project.root / "calls.jsonl")


def outputs(record: dict[str, Any]) -> str:
    return Path(record["outputs"]).read_text("utf-8")


def test_a_replay_gives_what_was_recorded_and_fails_what_was_not(project: Project, server: CountingServer):
    write_flow(project)
    first = project.json(*COMMAND, "--record", "calls.jsonl", "--no-cache", env=server.environment())
    assert server.calls == 6, "without the cache equal lines are asked for each"
    file = project.root / "calls.jsonl"
    text = file.read_text("utf-8")
    assert server.url.removeprefix("http://") not in text
    assert "sk-counting-secret" not in text
    assert recorded(project)[0] == {"connection": "my_model", "type": "open_ai"}
    assert [(call["node"], call["line"]) for call in recorded(project)[1:]] == [
        (node, line) for node in ("ask", "shorter") for line in range(3)
    ]
    file.write_text(f'{text}{{"node": "ask", "line": 7, "operation": "ch', "utf-8")  # a process was killed
    second = project.json(*COMMAND, "--replay", "calls.jsonl", "--workers", "2")
    assert server.calls == 6
    assert outputs(second) == outputs(first)
    assert second["usage"]["calls"] == 0
    assert second["usage"]["cached_calls"] == 6
    assert second["simulated"] is False
    assert not (project.home / "cache" / "kept.sqlite").exists()
    project.jsonl("data.jsonl", [{"question": "What is 1?"}, {"question": "What is 3?"}])
    failed = project.json(*COMMAND, "--replay", "calls.jsonl", code=1)
    assert failed["lines"] == {"total": 2, "completed": 1, "failed": 1}
    error = project.lines(failed)[1]["error"]
    assert error["node"] == "ask"
    for part in ("'small'", "'ask'", "messages[1].content was 'What is", "now 'What is 3?'", "calls.jsonl"):
        assert part in error["message"], error["message"]
    assert server.calls == 6


def test_a_simulated_run_is_replayed_as_simulated(project: Project):
    write_flow(project)
    project.write("asking/flow.dag.yaml", FLOW.replace(", conn: my_model", ""))
    project.write("asking/measure.py", MEASURE.replace(", conn: OpenAIConnection", ""))
    rules = project.write("rules.yaml", RULES.replace("one word", "."))
    simulated = project.json(*COMMAND, "--simulate", rules, "--record", "calls.jsonl")
    rules.unlink()
    replayed = project.json(*COMMAND, "--replay", "calls.jsonl")
    assert outputs(replayed) == outputs(simulated)
    assert replayed["simulated"] is True
    assert not (project.home / "cache" / "kept.sqlite").exists(), "simulated answers are not kept"


def test_a_recording_that_is_not_there(project: Project):
    write_flow(project)
    assert "--record" in project.rejected(*COMMAND, "--replay", "nowhere.jsonl")
    assert "folder" in project.rejected(*COMMAND, "--record", "no/folder/calls.jsonl")


def test_an_experiment_is_replayed_with_its_evaluators(project: Project, server: CountingServer):
    write_flow(project)
    project.write(
        "experiment.yaml",
        "name: replayed\nflow: asking\ndatasets:\n- name: few\n  source: data.jsonl\n"
        "  mappings: {question: '${data.question}'}\n"
        "connections:\n- name: my_model\n  connection_type: open_ai\n  api_key: ${api_key}\n  base_url: ${base_url}\n"
        "evaluators:\n- name: asking\n  datasets:\n  - name: few\n    mappings: {question: '${run.outputs.answer}'}\n",
    )
    command = ("experiment", "run", "experiment.yaml")
    project.run(*command, "--record", "calls.jsonl", env=server.environment())
    calls, once = server.calls, all_outputs(project)
    project.run(*command, "--replay", "calls.jsonl")  # with no key set
    assert server.calls == calls
    assert sorted(all_outputs(project)) == sorted(once * 2)


def all_outputs(project: Project) -> list[str]:
    return [file.read_text("utf-8") for file in project.home.rglob("outputs.jsonl")]
