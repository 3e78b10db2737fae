"""Model calls recorded once, and answered from the file with no key and no network."""

from __future__ import annotations

import json
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


def test_a_replay_gives_what_was_recorded_with_no_server_and_no_key(project: Project, server: CountingServer):
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
    second = project.json(*COMMAND, "--replay", "calls.jsonl")
    assert server.calls == 6
    assert outputs(second) == outputs(first)
    assert second["usage"]["calls"] == 0
    assert second["usage"]["cached_calls"] == 6
    assert second["simulated"] is False
    assert file.read_text("utf-8") == text
    assert not (project.home / "cache" / "kept.sqlite").exists()


def test_recording_again_gives_the_same_file(project: Project, server: CountingServer):
    write_flow(project)
    for _ in range(2):  # the second run has its answers from the cache
        project.run(*COMMAND, "--record", "calls.jsonl", env=server.environment())
    calls = server.calls
    once = (project.root / "calls.jsonl").read_text("utf-8")
    (project.root / "calls.jsonl").unlink()
    project.run(*COMMAND, "--record", "calls.jsonl", env=server.environment())
    assert (project.root / "calls.jsonl").read_text("utf-8") == once
    assert server.calls == calls


def test_a_call_that_is_not_recorded_fails_its_line_and_says_what_differs(project: Project, server: CountingServer):
    write_flow(project)
    project.run(*COMMAND, "--record", "calls.jsonl", env=server.environment())
    calls = server.calls
    project.jsonl("data.jsonl", [{"question": "What is 1?"}, {"question": "What is 3?"}])
    failed = project.json(*COMMAND, "--replay", "calls.jsonl", code=1)
    assert failed["lines"] == {"total": 2, "completed": 1, "failed": 1}
    error = project.lines(failed)[1]["error"]
    assert error["node"] == "ask"
    for part in ("'small'", "'ask'", "messages[1].content was 'What is", "now 'What is 3?'", "calls.jsonl"):
        assert part in error["message"], error["message"]
    assert server.calls == calls


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


def test_a_connection_that_lacks_its_secret_is_no_error_in_a_replay(project: Project, server: CountingServer):
    write_flow(project)
    project.write(
        "connections/my_model.yaml",
        "name: my_model\ntype: open_ai\napi_key: ${env:NO_SUCH_KEY}\nbase_url: ${env:NO_SUCH_BASE}\n",
    )
    variables = {"NO_SUCH_KEY": "sk-counting-secret", "NO_SUCH_BASE": f"{server.url}/v1"}
    first = project.json(*COMMAND, "--record", "calls.jsonl", env=variables)
    lines = (project.root / "calls.jsonl").read_text("utf-8").splitlines(keepends=True)
    project.write("calls.jsonl", "".join(lines[1:]))  # the type is then the one that the file declares
    assert outputs(project.json(*COMMAND, "--replay", "calls.jsonl")) == outputs(first)


def test_what_a_killed_process_left_is_no_call(project: Project, server: CountingServer):
    write_flow(project)
    first = project.json(*COMMAND, "--record", "calls.jsonl", env=server.environment())
    file = project.root / "calls.jsonl"
    whole = file.read_text("utf-8")
    file.write_text(f'{whole}{{"node": "ask", "line": 7, "operation": "ch', "utf-8")
    assert outputs(project.json(*COMMAND, "--replay", "calls.jsonl")) == outputs(first)
    project.run(*COMMAND, "--record", "calls.jsonl", env=server.environment())
    assert file.read_text("utf-8") == whole
    file.write_text(f"{whole}<<<<<<< ours\n{whole}", "utf-8")
    said = project.run(*COMMAND, "--replay", "calls.jsonl", code=2).stderr
    assert f"calls.jsonl:{len(whole.splitlines()) + 1}" in said


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
    calls = server.calls
    once = sorted(outputs for outputs in all_outputs(project))
    project.run(*command, "--replay", "calls.jsonl")
    assert server.calls == calls
    assert sorted(all_outputs(project)) == sorted(once * 2)


def all_outputs(project: Project) -> list[str]:
    return [file.read_text("utf-8") for file in project.home.rglob("outputs.jsonl")]


def test_the_file_can_be_edited_by_hand(project: Project, server: CountingServer):
    write_flow(project)
    project.run(*COMMAND, "--record", "calls.jsonl", env=server.environment())
    calls = recorded(project)
    for call in calls[1:]:
        call["request"] = dict(reversed(call["request"].items()))
        call["answer"]["choices"][0]["message"]["content"] = "edited"
    asks = [call for call in calls[1:] if call["node"] == "ask"]
    shorter = [call for call in calls[1:] if call["node"] == "shorter"][:1]
    shorter[0]["request"]["messages"][1]["content"] = "edited"
    (project.root / "calls.jsonl").write_text("\n".join(map(json.dumps, [calls[0], *asks, *shorter])), "utf-8")
    replayed = project.json(*COMMAND, "--replay", "calls.jsonl")
    assert {line["answer"] for line in read_jsonl(replayed["outputs"])} == {"edited"}
