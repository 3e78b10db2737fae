"""What a served flow gives besides answers: feedback, records, metrics, OpenAI's chat API, and who may ask."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path
from typing import Any

import pytest
from counting_server import counting_server
from functional_helper import Project, one_node_flow
from serve_helper import ASKED, CHAT, Asking, chat_flow, events, serving

from flowyard.serving import ServingSettings, make_service

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def records(folder: Path) -> list[dict[str, Any]]:
    lines = [line for file in sorted(folder.glob("*.jsonl")) for line in file.read_text("utf-8").splitlines()]
    return [json.loads(line) for line in lines]


def test_records_keep_what_was_asked_and_answered_but_no_secret(project: Project):
    code = "from promptflow.core import tool\nfrom promptflow.connections import CustomConnection\n\n\n"
    code += "@tool\ndef work(x: str, card: str, conn: CustomConnection):\n    return x\n"
    inputs = {"x": "string", "card": "string"}
    flow = project.flow("keep", one_node_flow(inputs, connection="my_conn"), work_py=code)
    folder = project.root / "kept"
    env = {
        "FLOWYARD_SERVE_RECORDS": str(folder),
        "FLOWYARD_SERVE_RECORDS_HIDE": "card",
        "my_conn": json.dumps({"type": "custom", "secrets": {"token": "s3cret-token"}}),
    }
    with serving(project, flow, env=env) as ask:
        answer = ask("/score", {"x": "the s3cret-token", "card": "4111"}, traceparent=TRACE, x_request_id="r1")
        assert answer.headers["traceparent"].startswith(TRACE[:36])
        assert ask("/score", {"card": "4111"}).status == 400
        assert ask("/feedback?flatten=true", {"stars": 5, "text": "good"}, traceparent=TRACE, baggage="a=b").json() == {
            "status": "Feedback received."
        }
        assert ask("/feedback", {"stars": 5}).status == 200
        assert ask("/feedback?flatten=true", b"[]").status == 200
    first, failed, said, whole, listed = records(folder)
    assert (first["kind"], first["request_id"], first["trace_id"]) == ("exchange", "r1", TRACE[3:35])
    assert first["inputs"] == {"x": "the ******", "card": "******"}
    assert first["outputs"] == {"out": "the ******"}
    assert (first["status"], first["flow"], failed["status"]) == (200, "keep", 400)
    assert "'x'" in failed["error"]
    assert (said["kind"], said["trace_id"], said["span_id"]) == ("feedback", TRACE[3:35], TRACE[36:52])
    assert (said["feedback"], said["baggage"]) == ({"stars": 5, "text": "good"}, {"a": "b"})
    assert listed["feedback"] == {"feedback": []}
    assert whole["feedback"] == {"feedback": {"stars": 5}}
    text = "".join(file.read_text() for file in folder.iterdir())
    assert "s3cret-token" not in text
    assert "4111" not in text


def test_a_share_of_zero_keeps_feedback_only(project: Project):
    folder = project.root / "kept"
    env = {"FLOWYARD_SERVE_RECORDS": str(folder), "FLOWYARD_SERVE_RECORDS_SHARE": "0"}
    with serving(project, project.echo_flow(), env=env) as ask:
        assert ask("/score", {"x": "a"}).status == 200
        assert ask("/feedback", b"fine").status == 200
    assert [record["kind"] for record in records(folder)] == ["feedback"]


def test_metrics_count_answers_and_tokens(project: Project):
    flow = chat_flow(project)
    with serving(project, flow, "--simulate", "rules.yaml") as ask:
        for accept in ("application/json", "text/event-stream"):
            assert ask("/score", {"question": ASKED}, Accept=accept).status == 200
        assert ask("/score", {}).status == 400
        assert ask("/nowhere").status == 404
        shown = ask("/metrics")
    assert shown.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    values = dict(line.rsplit(" ", 1) for line in shown.text.splitlines() if not line.startswith("#"))
    assert values['flowyard_serve_requests_total{route="/score",status="200"}'] == "2"
    assert values['flowyard_serve_requests_total{route="/score",status="400"}'] == "1"
    assert values['flowyard_serve_requests_total{route="other",status="404"}'] == "1"
    assert values["flowyard_serve_latency_seconds_count"] == "2"
    assert values['flowyard_serve_latency_seconds_bucket{le="+Inf"}'] == "2"
    assert values["flowyard_serve_first_piece_seconds_count"] == "1"
    assert values["flowyard_serve_model_calls_total"] == "2", "also that of the stream"
    assert values["flowyard_serve_in_flight"] == "0"


def completion(ask: Asking, messages: list[Any], **more: Any) -> Any:
    return ask("/v1/chat/completions", {"model": "talk", "messages": messages, **more})


def test_a_chat_flow_is_a_model_of_openais_api(project: Project):
    flow = chat_flow(project)
    with serving(project, flow, "--simulate", "rules.yaml") as ask:
        assert [model["id"] for model in ask("/v1/models").json()["data"]] == ["talk"]
        earlier = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]
        asked = {"role": "user", "content": [{"type": "text", "text": ASKED}]}
        answer = completion(ask, [*earlier, asked], inputs={"tone": "kind"})
        assert answer.status == 200
        body = answer.json()
        assert body["choices"][0]["message"]["content"] == "The capital."
        assert (body["object"], body["choices"][0]["finish_reason"]) == ("chat.completion", "stop")
        assert body["usage"]["total_tokens"] > 0

        chunks = completion(ask, [asked], stream=True, stream_options={"include_usage": True}).text
        *parts, done = [part.removeprefix("data: ") for part in chunks.strip().split("\n\n")]
        assert done == "[DONE]"
        *said, last = [json.loads(part) for part in parts]
        assert "".join(each["choices"][0]["delta"].get("content", "") for each in said) == "The capital."
        assert last["usage"]["total_tokens"] == body["usage"]["total_tokens"]

        picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
        wrong = [[], [earlier[1]], "Hi", [{"role": "user", "content": [picture]}], [{"role": "user"}]]
        for messages in wrong:
            refused = completion(ask, messages)  # type: ignore[arg-type]
            assert refused.status == 400
            assert refused.json()["error"]["type"] == "invalid_request_error"
        assert completion(ask, [asked], n=2).status == 400
        assert ask("/v1/chat/completions", b"{").status == 400


def test_the_history_of_openais_api_is_the_flows_history(project: Project):
    history = CHAT.replace("type: llm", "type: python").replace("ask.jinja2", "ask.py")
    history = history.replace(
        '{model: small, deployment_name: small, question: "${inputs.question}"}', "{h: '${inputs.chat_history}'}"
    )
    history = history.replace("  connection: my_model\n  api: chat\n", "")
    code = "import json\nfrom promptflow.core import tool\n\n\n@tool\ndef ask(h: list):\n    return json.dumps(h)\n"
    flow = project.flow("talk", history, ask_py=code)
    said = [("system", "s"), ("user", "one"), ("user", "two"), ("assistant", "three"), ("user", "four")]
    with serving(project, flow) as ask:
        body = completion(ask, [{"role": role, "content": text} for role, text in said]).json()
    turns = [{"inputs": {"question": "two"}, "outputs": {"answer": "three"}}]
    assert json.loads(body["choices"][0]["message"]["content"]) == turns


def test_flows_that_are_no_chats_are_no_models(project: Project):
    with serving(project, project.echo_flow()) as ask:
        assert ask("/v1/models").status == 404


def test_every_route_but_health_asks_for_the_key(project: Project):
    flow = chat_flow(project)
    routes = route_table(project, flow)
    assert {("POST", "/score"), ("GET", "/metrics"), ("POST", "/v1/chat/completions"), ("GET", "/")} <= set(routes)
    basic = base64.b64encode(b"any:s3cret").decode()
    right = [{"Authorization": "Bearer s3cret"}, {"api_key": "s3cret"}, {"Authorization": f"Basic {basic}"}]
    wrong = [{}, {"Authorization": "Bearer s3cre"}, {"Authorization": "s3cret"}, {"Authorization": "Basic !"}]
    with serving(project, flow, "--simulate", "rules.yaml", env={"FLOWYARD_SERVE_KEY": "s3cret"}) as ask:
        for method, path in (*routes, ("GET", "/nowhere")):
            body = None if method == "GET" else {"question": ASKED, "messages": [{"role": "user", "content": ASKED}]}
            for headers in (*wrong, {"api_key": "s3cre"}):
                answer = ask(path, body, **headers)
                assert answer.status == (200 if path in ("/health", "/health/ready") else 401), (path, headers)
                assert path.startswith("/health") or answer.headers["WWW-Authenticate"].startswith("Basic")
            for headers in right:
                assert ask(path, body, **headers).status == (404 if path == "/nowhere" else 200), (path, headers)
        elsewhere = {"Authorization": f"Basic {basic}", "Origin": "https://elsewhere.example"}
        assert ask("/score", {"question": ASKED}, **elsewhere).status == 403, "browsers add Basic by themselves"


def route_table(project: Project, flow: str) -> list[tuple[str, str]]:
    """The routes of the server as its code has them."""
    import asyncio

    from flowyard.engine import prepare
    from flowyard.flows.load import load_flow
    from flowyard.llm import CallRules, Connections, EnvironmentSource, ProviderOpener

    async def found() -> list[tuple[str, str]]:
        model = json.dumps({"type": "open_ai", "api_key": "k", "base_url": "http://127.0.0.1:9/v1"})
        connections = Connections([EnvironmentSource({"my_model": model})])
        runner = await prepare(load_flow(project.root / flow), connections, ProviderOpener(CallRules()))
        try:
            service = make_service(runner, ServingSettings())
            return [(route.method, route.path) for route in service.routes]
        finally:
            await runner.close()

    return asyncio.run(found())


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://elsewhere.example"},
        {"Origin": "null"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Host": "elsewhere.example"},
    ],
)
def test_without_a_key_pages_of_other_sites_get_nothing(project: Project, headers: dict[str, str]):
    with serving(project, project.echo_flow()) as ask:
        assert ask("/score", {"x": "a"}, **headers).status == 403
        assert ask("/score", {"x": "a"}, Origin=ask.url).status == 200


def test_variables_are_the_fields_of_connections(project: Project):
    """A connection's fields come from variables of its name, or another's are taken."""
    flow = chat_flow(project)
    file = project.root / flow / "flow.dag.yaml"
    file.write_text(file.read_text().replace("my_model", "My Model"))
    with counting_server() as model:
        env = {"MY_MODEL_TYPE": "open_ai", **model.environment()}
        other = {**{name.replace("MY_MODEL", "OTHER"): value for name, value in env.items()}}
        for number, each in enumerate((env, {**other, "MY_MODEL": "${{azureml://connections/other}}"}), 1):
            with serving(project, flow, env=each) as ask:
                assert ask("/score", {"question": ASKED}).json()["answer"] == f"answer {number}"


def test_events_of_a_chat(project: Project):
    with serving(project, chat_flow(project), "--simulate", "rules.yaml") as ask:
        text = ask("/score", {"question": ASKED}, Accept="text/event-stream").text
        first, *pieces = events(text)
        assert first == {"seen": [], "tone": "plain"}
        assert "".join(piece["answer"] for piece in pieces) == "The capital."


def test_a_flow_that_is_a_class_is_made_with_prompt_flows_variable(project: Project):
    code = "class Greet:\n    def __init__(self, word: str):\n        self.word = word\n\n"
    code += "    def __call__(self, name: str) -> str:\n        return f'{self.word} {name}'\n"
    project.write("greet/greet.py", code)
    project.write("greet/flow.flex.yaml", "entry: greet:Greet\n")
    env = {"PF_FLOW_INIT_CONFIG": '{"word": "Hi"}', "PROMPTFLOW_SERVING_ENGINE": "fastapi"}
    with serving(project, "greet", env=env) as ask:
        assert ask("/score", {"name": "you"}).json() == "Hi you"
    with serving(project, "greet", "--init", "word=Hello", env=env) as ask:
        assert ask("/score", {"name": "you"}).json() == "Hello you"


def test_fields_are_left_out_that_no_one_declared(project: Project):
    project.write("two/two.py", "def two(x: str):\n    return {'shown': x, 'other': 'y'}\n")
    project.write("two/flow.flex.yaml", "entry: two:two\n")
    with serving(project, "two", env={"PROMPTFLOW_RESPONSE_INCLUDED_FIELDS": '["shown"]'}) as ask:
        assert ask("/score", {"x": "a"}).json() == {"shown": "a"}


def test_records_of_model_calls_are_complete_whole_and_streamed(project: Project):
    flow = chat_flow(project)
    folder = project.root / "kept"
    with counting_server() as model:
        project.write("prices.yaml", "models:\n  small: {prompt: 100000, completion: 200000}\n")
        env = {**model.environment(), "FLOWYARD_SERVE_RECORDS": str(folder), "FLOWYARD_SERVE_RECORDS_HIDE": "tone"}
        with serving(project, flow, env=env) as ask:
            for accept in ("application/json", "text/event-stream"):
                body = {"question": "Hi purple", "tone": "purple", "chat_history": [{"inputs": {"tone": "deep green"}}]}
                assert ask("/score", body, Accept=accept, traceparent=TRACE).status == 200
            asked = {"messages": [{"role": "user", "content": "Hi"}], "stream": True}
            assert ask("/v1/chat/completions", asked, traceparent=TRACE).status == 200
    kept = records(folder)
    assert len(kept) == 3
    for record in kept:
        assert (record["models"], record["model_calls"], record["trace_id"]) == (["small"], 1, TRACE[3:35])
        assert (record["prompt_tokens"], record["completion_tokens"]) == (10, 5)
        assert record["outputs"]["answer"].startswith("answer ")
        assert record["latency_s"] > 0
        assert record["cost_usd"] == 2.0
        assert record["error"] is None
    assert [record["first_piece_s"] is None for record in kept] == [True, False, False]
    assert kept[0]["inputs"]["question"] == "Hi ******", "what is hidden stays so where it is said again"
    assert kept[0]["inputs"]["chat_history"] == [{"inputs": {"tone": "******"}}]
    assert kept[0]["outputs"]["seen"] == [{"inputs": {"tone": "******"}}]


SINK = """\
from pathlib import Path
from flowyard.abc import RecordSink


class Sink(RecordSink):
    def __init__(self, environ):
        self.path = Path(environ["SINK_FILE"])
        self.kept = []

    def put(self, text):
        record = text()
        if "refuse" in record:
            raise OSError("full")
        self.kept.append(record)

    @property
    def dropped(self):
        return 10

    def close(self):
        self.path.write_text("\\n".join(self.kept))
"""


def test_records_go_to_a_sink_of_ones_own(project: Project):
    project.write("own/mysink.py", SINK)
    file = project.root / "sunk.jsonl"
    env = {"PYTHONPATH": os.pathsep.join([str(project.root / "own"), os.environ.get("PYTHONPATH", "")])}
    env |= {"FLOWYARD_SERVE_RECORDS_SINK": "mysink:Sink", "SINK_FILE": str(file)}
    with serving(project, project.echo_flow(), env=env) as ask:
        assert ask("/score", {"x": "a"}).status == 200
        assert ask("/score", {"x": "refuse"}).status == 200
        assert "flowyard_serve_records_dropped_total 11\n" in ask("/metrics").text
    (record,) = file.read_text().splitlines()
    assert json.loads(record)["inputs"] == {"x": "a"}
    for wrong in ("mysink:Path", "nobody"):
        said = project.rejected("flow", "serve", "--source", "echo", env={**env, "FLOWYARD_SERVE_RECORDS_SINK": wrong})
        assert "FLOWYARD_SERVE_RECORDS_SINK" in said
