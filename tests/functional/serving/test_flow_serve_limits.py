"""A served flow under pressure: limits, callers who leave, and ending without losing an answer."""

from __future__ import annotations

import http.client
import json
import signal
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from functional_helper import Project, one_node_flow, wait_for_text
from serve_helper import SSE, STREAM, Asking, connection, serving

GATE = """\
from pathlib import Path
import time
from promptflow.core import tool


@tool
def work(x: str):
    Path(f"{x}.began").write_text("yes")
    while not Path("open").exists():
        time.sleep(0.01)
    return x
"""


def gate_flow(project: Project, code: str = GATE) -> Path:
    return project.root / project.flow("gate", one_node_flow({"x": "string"}), work_py=code)


def test_more_than_fit_are_refused_at_once_and_the_others_answered(project: Project):
    flow = gate_flow(project)
    with serving(project, "gate", env={"FLOWYARD_SERVE_AT_ONCE": "2"}) as ask, ThreadPoolExecutor(2) as crowd:
        answers = [crowd.submit(ask, "/score", {"x": name}) for name in "ab"]
        for name in "ab":
            wait_for_text(flow / f"{name}.began")
        refused = ask("/score", {"x": "c"})
        assert (refused.status, refused.headers["Retry-After"]) == (429, "1")
        assert ask("/health").status == 200
        assert ask("/health/ready").status == 503
        (flow / "open").write_text("yes")
        assert [each.result().json() for each in answers] == [{"out": "a"}, {"out": "b"}]
        assert ask("/score", {"x": "c"}).json() == {"out": "c"}
        assert ask("/health/ready").status == 200
        assert 'flowyard_serve_requests_total{route="/score",status="429"} 1' in ask("/metrics").text


@pytest.mark.parametrize("code", [GATE, GATE.replace("def work", "async def work")])
def test_a_flow_that_takes_too_long_is_given_up(project: Project, code: str):
    flow = gate_flow(
        project, code.replace("time.sleep(0.01)", "await asyncio.sleep(0.01)") if "async" in code else code
    )
    if "async" in code:
        (flow / "work.py").write_text("import asyncio\n" + (flow / "work.py").read_text())
    with serving(project, "gate", env={"FLOWYARD_SERVE_LINE_S": "0.2"}) as ask:
        assert ask("/score", {"x": "a"}).status == 408
        (flow / "open").write_text("yes")


def test_a_large_body_is_refused(project: Project):
    with serving(project, project.echo_flow(), env={"FLOWYARD_SERVE_BODY_BYTES": "1000"}) as ask:
        refused = ask("/score", {"x": "a" * 1000})
        assert (refused.status, refused.json()["error"]["code"]) == (413, "UserError")
        assert ask("/score", {"x": "a"}).status == 200


def test_who_leaves_ends_the_stream_behind(project: Project):
    flow = gate_flow(project, STREAM)
    with serving(project, "gate") as ask:
        left = connection(ask)
        left.request("POST", "/score", json.dumps({"x": "a"}), SSE)
        answer = left.getresponse()
        assert b"one" in answer.readline()
        assert left.sock is not None
        left.sock.shutdown(socket.SHUT_RDWR)
        answer.close()
        left.close()
        wait_for_text(flow / "a.ended")
        (flow / "open").write_text("yes")
        assert ask("/score", {"x": "b"}).json() == {"out": "onetwo"}


def test_what_is_under_way_ends_before_the_server(project: Project):
    flow = gate_flow(project, STREAM)
    with serving(project, "gate") as ask:
        open_one = connection(ask)
        open_one.request("POST", "/score", json.dumps({"x": "a"}), SSE)
        answer = open_one.getresponse()
        assert b"one" in answer.readline()
        kept = connection(ask)
        kept.request("GET", "/health")
        assert kept.getresponse().read()
        ask.process.send_signal(signal.SIGTERM)
        (flow / "open").write_text("yes")
        assert b'{"out": "two"}' in answer.read()
        open_one.close()
        kept.close()


def test_a_stream_that_outlasts_the_grace_time_says_so(project: Project):
    flow = gate_flow(project, STREAM)
    with serving(project, "gate", env={"FLOWYARD_SERVE_GRACE_S": "0"}) as ask:
        open_one = connection(ask)
        open_one.request("POST", "/score", json.dumps({"x": "a"}), SSE)
        answer = open_one.getresponse()
        assert b"one" in answer.readline()
        ask.process.send_signal(signal.SIGTERM)
        rest = answer.read()
        assert b"event: error\n" in rest
        assert b"stopping" in rest
        open_one.close()
        wait_for_text(flow / "a.ended")


@pytest.mark.parametrize("name", ["AT_ONCE", "LINE_S", "BODY_BYTES", "GRACE_S", "RECORDS_SHARE"])
def test_a_limit_that_is_no_number_is_said_at_the_start(project: Project, name: str):
    variable = f"FLOWYARD_SERVE_{name}"
    said = project.rejected("flow", "serve", "--source", project.echo_flow(), env={variable: "many"})
    assert variable in said


def answered(ask: Asking, sent: bytes) -> tuple[int, str]:
    """The status of what is answered to these bytes, and which header asks for a key."""
    place = urlsplit(ask.url)
    with socket.create_connection((str(place.hostname), int(place.port or 0)), timeout=60) as plain:
        plain.sendall(sent)
        answer = http.client.HTTPResponse(plain)
        answer.begin()
        return answer.status, answer.headers.get("WWW-Authenticate", "").partition(" ")[0]


def test_a_body_is_not_waited_for_from_who_may_not_ask(project: Project):
    with serving(project, project.echo_flow(), env={"FLOWYARD_SERVE_KEY": "s3cret"}) as ask:
        head = b"%s HTTP/1.1\r\nHost: x\r\n%s\r\n%s\r\n\r\n"
        large, chunks = b"Content-Length: 1000000", b"Transfer-Encoding: chunked"
        for form in (large, chunks):
            for key in (b"X-No: key", b"api-key: wrong", b"Authorization: Basic \xff"):
                assert answered(ask, head % (b"POST /score", key, form)) == (401, "Basic")
        assert answered(ask, head % (b"GET /version", b"Authorization: Basic \xff", b"X: y")) == (401, "Basic")
        assert ask("/score", {"x": "x" * 1_000_000}, api_key="s3cret").status == 200
