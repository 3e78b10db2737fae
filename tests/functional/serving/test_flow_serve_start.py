"""Starting and ending a server, as a person does at a terminal."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
from urllib.parse import urlsplit

import pytest
from functional_helper import Project, ending, one_node_flow, start_flowyard, wait_for_text
from serve_helper import SSE, STREAM, serving


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_port_that_is_taken_is_said(project: Project, workers: str):
    project.echo_flow()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        said = project.rejected(
            "flow", "serve", "--source", "echo", "--port", port, env={"PROMPTFLOW_WORKER_NUM": workers}
        )
    assert f"127.0.0.1:{port}" in said
    assert "another port" in said


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_everybody_may_ask_only_with_a_key(project: Project, host: str):
    said = project.rejected("flow", "serve", "--source", project.echo_flow(), "--host", host)
    assert "FLOWYARD_SERVE_KEY" in said


@pytest.mark.parametrize("workers", ["1", "2"])
def test_the_second_ctrl_c_does_not_wait_for_streams(project: Project, workers: str):
    flow = project.root / project.flow("gate", one_node_flow({"x": "string"}), work_py=STREAM)
    ready = project.root / "ready"
    words = ["flow", "serve", "--source", "gate", "--port", "0", "--ready-file", ready, "--home", project.home]
    env = {"FLOWYARD_SERVE_GRACE_S": "600", "PROMPTFLOW_WORKER_NUM": workers}
    with ending(start_flowyard(*words, cwd=project.root, env=env)) as process:
        address = urlsplit(wait_for_text(ready)).netloc
        opened = http.client.HTTPConnection(address, timeout=120)
        opened.request("POST", "/score", json.dumps({"x": "a"}), SSE)
        answer = opened.getresponse()
        assert b"one" in answer.readline()
        process.send_signal(signal.SIGINT)
        other = http.client.HTTPConnection(address, timeout=120)
        while _answers(other):
            """It accepts until it has seen the signal."""
        process.send_signal(signal.SIGINT)
        assert b"event: error\n" in answer.read()
        opened.close()
        assert process.wait(120) == 0
    wait_for_text(flow / "a.ended")


def _answers(connection: http.client.HTTPConnection) -> bool:
    try:
        connection.request("GET", "/health")
        connection.getresponse().read()
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
    return True


@pytest.mark.skipif(os.name != "posix", reason="needs signals")
def test_after_a_kill_the_same_port_serves_again(project: Project):
    flow = project.echo_flow()
    ready = project.root / "ready"
    words = ["flow", "serve", "--source", flow, "--ready-file", ready, "--home", project.home]
    with ending(start_flowyard(*words, "--port", "0", cwd=project.root)) as process:
        address = wait_for_text(ready)
        process.kill()
    with serving(project, flow, "--port", str(urlsplit(address).port)) as ask:
        assert ask.url == address
        assert ask("/score", {"x": "a"}).json() == {"out": "a"}
