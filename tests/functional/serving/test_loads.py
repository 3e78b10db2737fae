"""Under load: changes and restarts lose nothing, what is too much is refused and counted, slow ones hold up nobody."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

from functional_helper import Project, one_node_flow, wait_for_text
from loads_helper import ENDPOINT, crowd, deployed, wanted
from serve_helper import STREAM, serving

GATE = """\
import asyncio
from pathlib import Path
from promptflow.core import tool


@tool
async def work(x: str):
    if x.startswith("wait"):
        Path(f"{x}.began").write_text("yes")
        while not Path("open").exists():
            await asyncio.sleep(0.01)
    return x
"""


BEGUN = b"POST /score HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 60\r\n\r\n" + b"x" * 50


def test_deployments_change_under_load(tmp_path: Path):
    with deployed(tmp_path) as (target, address), crowd(address, 8) as clients:
        target.apply(wanted(tmp_path, 1))
        for number in range(10):
            target.set_shares(ENDPOINT, {f"v{(number + 1) % 2}": 100})
        target.remove(ENDPOINT, "v1")
    assert clients.wrong == []
    assert set(clients.answers) <= {"v0", "v1"}


def test_servers_restart_under_load(tmp_path: Path):
    """Each server gets SIGTERM as from an operator; its supervisor starts the next."""
    with deployed(tmp_path, FLOWYARD_SERVE_GRACE_S="10") as (_, address), crowd(address, 4) as clients:
        folder = tmp_path / "home" / "deployments" / "local" / ENDPOINT / "deployments" / "v0"
        server = _server_of(folder)
        for _ in range(5):
            os.kill(server, signal.SIGTERM)
            server = _server_of(folder, after=server)
    assert clients.wrong == []
    assert not (folder / "crashes.json").exists()


def _server_of(folder: Path, after: int = 0) -> int:
    """The process that serves once it answers, and is not the one before."""
    supervisor = (folder / "supervisor.lock").read_text()
    until = time.monotonic() + 240
    while time.monotonic() < until:
        children = Path("/proc", supervisor, "task", supervisor, "children").read_text().split()
        if children not in ([], [str(after)]) and (folder / "address").exists():
            return int(children[0])
        time.sleep(0.02)
    raise AssertionError("it was not started again")


def test_streams_pass_through_the_switch(tmp_path: Path):
    """Piece by piece; who leaves ends the stream behind, and a server that has to end ends it first."""
    with deployed(tmp_path, STREAM) as (_, address):
        folder = tmp_path / "home" / "deployments" / "local" / ENDPOINT / "deployments" / "v0"
        left, stays = (http.client.HTTPConnection(urlsplit(address).netloc, timeout=120) for _ in range(2))
        answers = []
        for name, asking in (("left", left), ("stays", stays)):
            asking.request("POST", "/score", json.dumps({"x": name}), {"Accept": "text/event-stream"})
            answers.append(asking.getresponse())
            assert b"one" in answers[-1].readline()
        assert left.sock is not None
        left.sock.shutdown(socket.SHUT_RDWR)
        answers[0].close()
        left.close()
        wait_for_text(folder / "flow" / "left.ended")
        os.kill(_server_of(folder), signal.SIGTERM)
        (folder / "flow" / "open").write_text("yes")
        assert b'{"out": "two"}' in answers[1].read()
        stays.close()


def test_what_is_too_much_is_refused_and_all_is_counted(project: Project):
    flow = project.root / project.flow("gate", one_node_flow({"x": "string"}), work_py=GATE)
    with serving(project, "gate", env={"FLOWYARD_SERVE_AT_ONCE": "4"}) as ask, ThreadPoolExecutor(32) as pool:
        waiting = [pool.submit(ask, "/score", {"x": f"wait{number}"}) for number in range(4)]
        for number in range(4):
            wait_for_text(flow / f"wait{number}.began")
        refused = list(pool.map(lambda _: ask("/score", {"x": "a"}), range(40)))
        assert {(each.status, each.headers["Retry-After"]) for each in refused} == {(429, "1")}
        (flow / "open").write_text("yes")
        assert {each.result().status for each in waiting} == {200}
        assert ask("/score", {"x": "b"}).status == 200
        text = ask("/metrics").text
    assert 'flowyard_serve_requests_total{route="/score",status="200"} 5\n' in text
    assert 'flowyard_serve_requests_total{route="/score",status="429"} 40\n' in text


def test_slow_connections_hold_up_nobody(tmp_path: Path):
    """Through the switch, and beside it at the server itself."""
    with deployed(tmp_path) as (target, address), ExitStack() as held:
        server = target.status(ENDPOINT).deployments[0].address
        assert server
        for url in (address, server):
            parts = urlsplit(url)
            for number in range(100):
                slow = held.enter_context(socket.create_connection((str(parts.hostname), int(parts.port or 0)), 60))
                slow.sendall(BEGUN[: 5 + number])
        with crowd(address, 4) as clients:
            while sum(clients.answers.values()) < 100 and not clients.wrong:
                clients.stop.wait(0.01)
    assert clients.wrong == []
