"""Several processes that serve one flow at one port."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from functional_helper import Project, ending, one_node_flow, start_flowyard, wait_for_text, wait_until
from serve_helper import SSE, STREAM, Asking, connection, serving

from flowyard.errors import UserError
from flowyard.serving import ServingSettings

pytestmark = pytest.mark.skipif(os.name != "posix", reason="a socket cannot be handed down elsewhere")

WHO = """\
import os
import time
from pathlib import Path
from promptflow.core import tool


@tool
def work(x: str):
    if x == "meet":
        Path(f"{os.getpid()}.met").write_text("yes")
        while len(list(Path().glob("*.met"))) < 2:
            time.sleep(0.01)
    return str(os.getpid())
"""


def workers_of(ask: Asking) -> set[int]:
    """The processes that the server started."""
    children = Path(f"/proc/{ask.process.pid}/task/{ask.process.pid}/children")
    return set(map(int, children.read_text().split()))


def test_workers_answer_at_one_port_are_counted_together_and_replaced(project: Project):
    flow = project.root / project.flow("who", one_node_flow({"x": "string"}), work_py=WHO)
    with serving(project, "who", env={"PROMPTFLOW_WORKER_NUM": "2", "FLOWYARD_SERVE_KEY": "s3cret"}) as ask:
        first = workers_of(ask)
        assert len(first) == 2
        key = {"api_key": "s3cret"}
        asked = 20
        for _ in range(asked):
            assert int(ask("/score", {"x": "a"}, **key).json()["out"]) in first
        assert ask("/metrics").status == 401
        text = ask("/metrics", **key).text
        counts = re.findall(
            r'^flowyard_serve_requests_total\{worker="(\d)",route="/score",status="200"\} (\d+)$', text, re.M
        )
        assert sum(int(count) for _, count in counts) == asked
        assert set(re.findall(r'^process_start_time_seconds\{worker="(\d)"\}', text, re.M)) == {"0", "1"}
        assert text.count("# TYPE flowyard_serve_requests_total ") == 1

        victim = min(first)
        os.kill(victim, signal.SIGKILL)
        wait_until(lambda: len(workers_of(ask) - {victim}) == 2)
        assert int(ask("/score", {"x": "a"}, **key).json()["out"]) != victim
    assert not list(flow.glob("*.met"))


def test_streams_of_all_workers_end_before_the_server(project: Project):
    flow = project.root / project.flow("gate", one_node_flow({"x": "string"}), work_py=STREAM)
    with serving(project, "gate", env={"PROMPTFLOW_WORKER_NUM": "2"}) as ask:
        opened = []
        for name in "abcd":
            each = connection(ask)
            each.request("POST", "/score", json.dumps({"x": name}), SSE)
            answer = each.getresponse()
            assert b"one" in answer.readline()
            opened.append((each, answer))
        ask.process.send_signal(signal.SIGTERM)
        (flow / "open").write_text("yes")
        for each, answer in opened:
            assert b'{"out": "two"}' in answer.read()
            each.close()


def test_workers_end_with_who_started_them(project: Project):
    project.flow("who", one_node_flow({"x": "string"}), work_py=WHO)
    ready = project.root / "ready"
    words = ["flow", "serve", "--source", "who", "--port", "0", "--ready-file", ready]
    with ending(start_flowyard(*words, cwd=project.root, env={"PROMPTFLOW_WORKER_NUM": "2"})) as process:
        address = urlsplit(wait_for_text(ready))
        process.kill()

    def is_closed() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex((address.hostname, address.port)) != 0

    wait_until(is_closed)


def test_what_is_wrong_with_the_flow_is_said_once(project: Project):
    project.flow("broken", one_node_flow({"x": "string"}), work_py="raise ValueError('no')\n")
    env = {"PROMPTFLOW_WORKER_NUM": "3"}
    done = project.run("flow", "serve", "--source", "broken", "--port", "0", code=None, env=env)
    assert done.returncode not in (0, None)
    assert done.stderr.count("ValueError") == 1


def test_threads_are_as_many_as_prompt_flows_variable_says(project: Project):
    flow = project.root / project.flow("who", one_node_flow({"x": "string"}), work_py=WHO)
    with serving(project, "who", env={"PROMPTFLOW_WORKER_THREADS": "1"}) as ask, ThreadPoolExecutor(2) as crowd:
        first = crowd.submit(ask, "/score", {"x": "meet"})
        wait_until(lambda: len(list(flow.glob("*.met"))) == 1)
        second = crowd.submit(ask, "/score", {"x": "meet"})
        wait_until(lambda: "flowyard_serve_waiting 1\n" in ask("/metrics").text)
        (flow / "other.met").write_text("yes")
        assert (first.result().status, second.result().status) == (200, 200)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PROMPTFLOW_WORKER_NUM", "many"),
        ("PROMPTFLOW_WORKER_THREADS", "0"),
        ("PROMPTFLOW_SERVING_ENGINE", "gunicorn"),
        ("PF_FLOW_INIT_CONFIG", "[1]"),
    ],
)
def test_a_wrong_variable_of_prompt_flow_is_said(name: str, value: str):
    with pytest.raises(UserError, match=name):
        ServingSettings.read({name: value}, "1")
