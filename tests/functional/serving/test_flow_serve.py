"""``flowyard flow serve``: a flow over HTTP, as callers of prompt flow's server know it."""

from __future__ import annotations

import json

import pytest
from functional_helper import (
    ASK_FLOW,
    ASK_TEMPLATE,
    RULES,
    Project,
    ending,
    one_node_flow,
    start_flowyard,
    wait_for_text,
)
from serve_helper import events, serving

SHOUT = """\
from promptflow.core import tool


@tool
def work(x: str, times: int):
    if x == "fail":
        raise ValueError("no such luck")
    return " ".join([x.upper()] * times)
"""
SHOUT_FLOW = """\
inputs:
  x: {type: string}
  times: {type: int, default: 2}
outputs:
  out: {type: string, reference: "${work.output}"}
  seen: {type: string, reference: "${inputs.x}", evaluation_only: true}
nodes:
- name: work
  type: python
  source: {type: code, path: work.py}
  inputs: {x: "${inputs.x}", times: "${inputs.times}"}
"""
PIECES = """\
from promptflow.core import tool


@tool
def work(x: str):
    yield x
    yield "!"
    if x == "fail":
        raise ValueError("in mid-stream")
"""


def test_score(project: Project):
    flow = project.flow("shout", SHOUT_FLOW, work_py=SHOUT)
    with serving(project, flow) as ask:
        answer = ask("/score", {"x": "hi", "unknown": 1})
        assert (answer.status, answer.json()) == (200, {"out": "HI HI"})
        assert ask("/score", {"x": "hi", "times": "3"}).json() == {"out": "HI HI HI"}, "inputs take their types"

        failed = ask("/score", {"x": "fail"})
        assert failed.status == 400
        assert failed.json()["error"]["code"] == "UserError"
        assert "no such luck" in failed.json()["error"]["message"]

        missing = ask("/score", {})
        assert missing.status == 400
        assert "'x'" in missing.json()["error"]["message"]
        for body in (b"[1]", b"no json"):
            assert ask("/score", body).status == 400
        assert ask("/score", {"x": "hi"}, Accept="image/png").status == 406
        assert ask("/nowhere").status == 404
        assert ask("/score").status == 405


def test_the_other_routes(project: Project):
    flow = project.flow("shout", SHOUT_FLOW, work_py=SHOUT)
    env = {"BUILD_INFO": '{"build_number": "7"}', "PROMPTFLOW_RESPONSE_INCLUDED_FIELDS": '["seen"]'}
    with serving(project, flow, env=env) as ask:
        assert ask("/health").json()["status"] == "Healthy"
        assert ask("/version").json()["build_info"] == "7"
        schema = ask("/swagger.json").json()
        body = schema["paths"]["/score"]["post"]["requestBody"]["content"]["application/json"]["schema"]
        assert body["required"] == ["x"], "an input with a default is not required"
        assert body["properties"]["times"] == {"type": "integer", "default": 2}
        assert ask("/score", {"x": "hi"}).json() == {"seen": "hi"}
        answer = ask("/score", {"x": "hi"}, x_request_id="abc")
        assert answer.headers["x-request-id"] == "abc"


def test_one_input_takes_plain_text(project: Project):
    flow = project.echo_flow()
    with serving(project, flow) as ask:
        assert ask("/score", "schön".encode()).json() == {"out": "schön"}


def test_generators_stream(project: Project):
    outputs = {"said": "${work.output}", "asked": "${inputs.x}"}
    flow = project.flow("pieces", one_node_flow({"x": "string"}, outputs), work_py=PIECES)
    with serving(project, flow) as ask:
        answer = ask("/score", {"x": "hi"}, Accept="text/event-stream")
        assert answer.headers["Content-Type"] == "text/event-stream"
        assert events(answer.text) == [{"asked": "hi"}, {"said": "hi"}, {"said": "!"}]
        assert ask("/score", {"x": "hi"}).json() == {"said": "hi!", "asked": "hi"}
        cut = ask("/score", {"x": "fail"}, Accept="text/event-stream").text
        assert "event: error\n" in cut
        assert "in mid-stream" in cut


def test_pain_14_events_are_always_on_offer(project: Project, simulated_server: str):
    """Whoever asks for events gets them: from a model's stream, and as one event where nothing streams."""
    asking = project.flow("ask", ASK_FLOW, ask_jinja2=ASK_TEMPLATE)
    model = json.dumps({"type": "open_ai", "api_key": "k", "base_url": f"{simulated_server}/v1"})
    with serving(project, asking, env={"my_model": model}) as ask:
        answer = ask("/score", {"question": "What is the capital of Latvia?"}, Accept="text/event-stream")
        pieces = [event["answer"] for event in events(answer.text)]
        assert "".join(pieces) == "The capital."
        assert len(pieces) > 1
    with serving(project, project.echo_flow()) as ask:
        answer = ask("/score", {"x": "hi"}, Accept="text/event-stream")
        assert (answer.status, events(answer.text)) == (200, [{"out": "hi"}])


def test_others_need_a_key(project: Project):
    flow = project.echo_flow()
    said = project.rejected("flow", "serve", "--source", flow, "--host", "0.0.0.0", "--port", "0")
    assert "FLOWYARD_SERVE_KEY" in said
    words = ("flow", "serve", "--source", flow, "--host", "0.0.0.0", "--port", "0")
    assert "FLOWYARD_SERVE_AUTH cannot be" in project.rejected(*words, env={"FLOWYARD_SERVE_AUTH": "none"})
    with serving(project, flow, env={"FLOWYARD_SERVE_KEY": "s3cret"}) as ask:
        assert ask("/score", {"x": "a"}).status == 401
        assert ask("/score", {"x": "a"}, Authorization="Bearer wrong").status == 401
        assert ask("/score", {"x": "a"}, Authorization="Bearer s3cret").json() == {"out": "a"}
        assert ask("/health").status == 200


@pytest.mark.parametrize("variable", ["PROMPTFLOW_RESPONSE_INCLUDED_FIELDS", "BUILD_INFO"])
def test_a_wrong_setting_is_said_at_the_start(project: Project, variable: str):
    flow = project.echo_flow()
    said = project.rejected("flow", "serve", "--source", flow, "--port", "0", env={variable: "{"})
    assert variable in said


def test_a_failing_flow_does_not_start(project: Project):
    flow = project.flow("bad", one_node_flow({"x": "string"}), work_py="import nowhere_to_be_found\n")
    assert "nowhere_to_be_found" in project.rejected("flow", "serve", "--source", flow, "--port", "0")


def test_a_simulated_model_says_so(project: Project):
    asking = project.flow("ask", ASK_FLOW, ask_jinja2=ASK_TEMPLATE)
    project.write("rules.yaml", RULES)
    with serving(project, asking, "--simulate", "rules.yaml") as ask:
        for accept in ("application/json", "text/event-stream"):
            answer = ask("/score", {"question": "What is the capital of Latvia?"}, Accept=accept)
            assert answer.headers["x-flowyard-simulated"] == "true"


PROMPTY = """\
---
model:
  api: chat
  configuration: {type: openai, model: small, api_key: k}
  parameters: {}
inputs:
  question: {type: string}
sample:
  question: What is the capital of Latvia?
---
system:
Answer in one word.
user:
{{question}}
"""


def test_callers_name_no_files_and_mean_no_sample(project: Project):
    project.write("ask.prompty", PROMPTY)
    project.write("secret.png", "no picture at all")
    project.write("rules.yaml", RULES)
    with serving(project, "ask.prompty", "--simulate", "rules.yaml") as ask:
        assert ask("/score", {"question": "What is the capital of Latvia?"}).json() == "The capital."
        named = ask("/score", {"question": "data:image/png;path: secret.png"})
        assert named.status == 400
        assert "InputInvalid" in named.json()["error"]["message"]
        empty = ask("/score", {})
        assert empty.status == 400
        assert "question" in empty.json()["error"]["message"]


def test_why_an_answer_does_not_stream_is_said(project: Project):
    """Of a model's answer that another node reads too."""
    reader = (
        "- name: count\n  type: python\n  source: {type: code, path: count.py}\n  inputs: {text: '${ask.output}'}\n"
    )
    count = "from promptflow.core import tool\n\n\n@tool\ndef count(text):\n    return len(text)\n"
    asking = project.flow("ask", ASK_FLOW + reader, ask_jinja2=ASK_TEMPLATE, count_py=count)
    project.write("rules.yaml", RULES)
    ready, said = project.root / "ready", project.root / "said"
    with said.open("w") as file:
        words = ["flow", "serve", "--source", asking, "--port", "0", "--ready-file", ready, "--simulate", "rules.yaml"]
        with ending(start_flowyard(*words, cwd=project.root, stderr=file)):
            wait_for_text(ready)
    assert "node 'ask' comes in one piece" in said.read_text("utf-8")
