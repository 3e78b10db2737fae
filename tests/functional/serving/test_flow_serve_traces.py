"""Traces of a served flow, as a collector of OpenTelemetry and Application Insights get them."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from counting_server import counting_server
from functional_helper import ASK_TEMPLATE, Project, one_node_flow
from serve_helper import serving
from span_collector import SpanCollector, span_collector

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
HEADER = f"00-{TRACE}-{PARENT}-01"
TWO_NODES = """\
inputs:
  question: {type: string}
  card: {type: object, default: {}}
outputs:
  answer: {type: string, reference: "${ask.output}"}
nodes:
- name: clean
  type: python
  source: {type: code, path: clean.py}
  inputs: {question: "${inputs.question}"}
- name: ask
  type: llm
  source: {type: code, path: ask.jinja2}
  inputs: {model: small, temperature: 0.5, question: "${clean.output}"}
  connection: my_model
  api: chat
"""
CLEAN = "from promptflow.core import tool\n\n\n@tool\ndef clean(question: str):\n    return question.strip()\n"


def ask_flow(project: Project) -> str:
    return project.flow("talk", TWO_NODES, clean_py=CLEAN, ask_jinja2=ASK_TEMPLATE)


def by_name(collector: SpanCollector) -> dict[str, dict[str, Any]]:
    return {span["name"]: span for span in collector.spans}


@pytest.mark.parametrize("protocol", ["http/protobuf", "http/json"])
def test_a_request_is_a_trace_of_nodes_and_model_calls(project: Project, protocol: str):
    flow = ask_flow(project)
    with span_collector() as collector, counting_server() as model:
        env = {
            **model.environment(),
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"{collector.url}/",
            "OTEL_EXPORTER_OTLP_HEADERS": "x-key=s3cret%20key",
            "OTEL_EXPORTER_OTLP_PROTOCOL": protocol,
            "OTEL_SERVICE_NAME": "triage",
            "OTEL_RESOURCE_ATTRIBUTES": "deployment.environment.name=dev,service.name=other",
        }
        with serving(project, flow, env=env) as ask:
            answer = ask("/score", {"question": " Hi "}, traceparent=HEADER)
            assert answer.status == 200
        root, clean, node, call = (
            by_name(collector)[n] for n in ("POST /score", "execute_tool clean", "ask", "chat small")
        )
    assert set(collector.paths) == {"/v1/traces"}
    assert collector.headers[0]["x-key"] == "s3cret key"
    resource = collector.resource
    assert (resource["service.name"], resource["deployment.environment.name"]) == ("triage", "dev")
    assert answer.headers["traceparent"] == f"00-{TRACE}-{root['spanId']}-01"
    assert (root["traceId"], root["parentSpanId"]) == (TRACE, PARENT)
    assert {span["traceId"] for span in collector.spans} == {TRACE}
    assert clean["parentSpanId"] == node["parentSpanId"] == root["spanId"]
    assert call["parentSpanId"] == node["spanId"]
    assert (root["facts"]["http.response.status_code"], root["facts"]["flowyard.prompt_tokens"]) == (200, 10)
    assert clean["facts"]["gen_ai.operation.name"] == "execute_tool"
    told = call["facts"]
    assert (told["gen_ai.operation.name"], told["gen_ai.provider.name"]) == ("chat", "openai")
    assert (told["gen_ai.request.model"], told["gen_ai.response.model"]) == ("small", "small")
    assert (told["gen_ai.usage.input_tokens"], told["gen_ai.usage.output_tokens"]) == (10, 5)
    assert (told["gen_ai.request.temperature"], told["gen_ai.response.finish_reasons"]) == (0.5, ["stop"])
    assert (told["server.address"], told["gen_ai.response.id"]) == ("127.0.0.1", "chatcmpl-1")
    times = [int(span[end]) for span in (root, node, call) for end in ("startTimeUnixNano", "endTimeUnixNano")]
    assert times[0] <= times[2] <= times[3] <= times[1]
    assert "Hi" not in json.dumps(collector.bodies), "what was asked is told only when somebody wants it"
    assert "answer 1" not in json.dumps(collector.bodies)


def test_a_stream_is_told_with_its_tokens_and_content_when_asked_for_without_hidden_values(project: Project):
    flow = ask_flow(project)
    with span_collector() as collector, counting_server() as model:
        env = {
            **model.environment(),
            "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": f"{collector.url}/here",
            "OTEL_EXPORTER_OTLP_COMPRESSION": "gzip",
            "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT": "true",
            "FLOWYARD_SERVE_RECORDS_HIDE": "number",
        }
        body = {"question": "is 4111-2222 or sk-counting-secret mine?", "card": {"kept": [{"number": "4111-2222"}]}}
        with serving(project, flow, env=env) as ask:
            text = ask("/score", body, Accept="text/event-stream").text
            assert "answer " in text
        call, root = by_name(collector)["chat small"], by_name(collector)["POST /score"]
    assert collector.paths == ["/here"]
    assert call["facts"]["gen_ai.usage.output_tokens"] == root["facts"]["flowyard.completion_tokens"] == 5
    assert root["facts"]["flowyard.stream"] is True
    asked, said = (json.loads(call["facts"][f"gen_ai.{way}.messages"]) for way in ("input", "output"))
    assert asked[1] == {"role": "user", "parts": [{"type": "text", "content": "is ****** or ****** mine?"}]}
    assert said == [{"role": "assistant", "parts": [{"type": "text", "content": "answer 1"}], "finish_reason": "stop"}]
    everything = json.dumps(collector.bodies)
    assert "4111-2222" not in everything
    assert "sk-counting-secret" not in everything


def test_feedback_is_a_span_of_the_trace_that_the_request_names(project: Project):
    with span_collector() as collector:
        env = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url}
        with serving(project, project.echo_flow(), env=env) as ask:
            said = {"stars": 5, "why": {"a": 1}}
            assert ask("/feedback?flatten=true", said, traceparent=HEADER, baggage="user=a%20b;x=1,n=2").status == 200
            assert ask("/feedback", b"fine", traceparent=HEADER).status == 200
        first, second = collector.spans
    assert (first["name"], first["traceId"], first["parentSpanId"]) == ("promptflow-feedback", TRACE, PARENT)
    named = {name: first["facts"][name] for name in ("stars", "why", "user", "n")}
    assert named == {"stars": 5, "why": '{"a": 1}', "user": "a b", "n": "2"}
    assert second["facts"]["feedback"] == "fine"


@pytest.mark.parametrize(
    ("variables", "flags", "kept"),
    [
        ({}, "00", False),
        ({}, "01", True),
        ({"OTEL_TRACES_SAMPLER": "always_on"}, "00", True),
        ({"OTEL_TRACES_SAMPLER": "parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0"}, None, False),
    ],
)
def test_who_began_the_trace_or_the_sampler_says_whether_it_is_told(
    project: Project, variables: dict[str, str], flags: str | None, kept: bool
):
    with span_collector() as collector:
        env = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, **variables}
        with serving(project, project.echo_flow(), env=env) as ask:
            headers = {} if flags is None else {"traceparent": f"00-{TRACE}-{PARENT}-{flags}"}
            assert ask("/score", {"x": "a"}, **headers).status == 200
        assert bool(collector.spans) is kept


def test_application_insights_gets_requests_dependencies_and_exceptions(project: Project):
    code = "from promptflow.core import tool\n\n\n@tool\ndef work(x: str):\n    raise ValueError(x)\n"
    failing = project.flow("fails", one_node_flow({"x": "string"}), work_py=code)
    flow = ask_flow(project)
    with span_collector() as collector, counting_server() as model:
        key = "00000000-0000-0000-0000-000000000001"
        env = {
            **model.environment(),
            "APPLICATIONINSIGHTS_CONNECTION_STRING": f"InstrumentationKey={key};IngestionEndpoint={collector.url}/",
        }
        with serving(project, flow, env=env) as ask:
            assert ask("/score", {"question": "Hi"}, traceparent=HEADER).status == 200
        with serving(project, failing, env=env) as ask:
            assert ask("/score", {"x": "broken"}).status == 400
        envelopes = collector.envelopes
    assert set(collector.paths) == {"/v2.1/track"}
    assert {each["iKey"] for each in envelopes} == {key}
    kinds = {}
    for each in envelopes:
        kinds.setdefault(each["data"]["baseType"], []).append(each)
    request, failed = kinds["RequestData"]
    data = request["data"]["baseData"]
    assert (request["tags"]["ai.operation.id"], request["tags"]["ai.operation.parentId"]) == (TRACE, PARENT)
    assert request["tags"]["ai.cloud.role"] == "talk"
    assert (data["name"], data["responseCode"], data["success"]) == ("POST /score", "200", True)
    assert data["duration"].startswith("0.00:00:")
    dependency = next(
        e["data"]["baseData"] for e in kinds["RemoteDependencyData"] if "chat" in e["data"]["baseData"]["name"]
    )
    assert (dependency["type"], dependency["success"]) == ("GenAI | openai", True)
    assert dependency["properties"]["gen_ai.usage.input_tokens"] == "10"
    assert failed["data"]["baseData"]["success"] is False
    (told, *_) = kinds["ExceptionData"][0]["data"]["baseData"]["exceptions"]
    assert (told["typeName"], told["message"]) == ("ValueError", "broken")


def test_a_dead_endpoint_costs_no_answer_and_is_counted(project: Project):
    env = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTEL_EXPORTER_OTLP_TIMEOUT": "200"}
    with span_collector(lambda number, body: (401, {}, b"")) as collector:
        env["APPLICATIONINSIGHTS_CONNECTION_STRING"] = f"InstrumentationKey=k;IngestionEndpoint={collector.url}"
        with serving(project, project.echo_flow(), env=env) as ask:
            assert ask("/score", {"x": "a"}).status == 200
            collector.wait(lambda: bool(collector.bodies))
            while "flowyard_serve_spans_dropped_total 2\n" not in ask("/metrics").text:
                time.sleep(0.02)


def test_a_wrong_setting_is_said_at_the_start(project: Project):
    env = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}
    said = project.rejected("flow", "serve", "--source", project.echo_flow(), env=env)
    assert "http/protobuf" in said
