"""Callers who leave in mid-stream: what is behind them ends first, and nothing is left behind."""

from __future__ import annotations

import asyncio
import gc
import json
import random
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from functional_helper import Project, one_node_flow, wait_until
from serve_helper import chat_flow, serving

from flowyard.engine import prepare
from flowyard.flows.load import load_flow
from flowyard.llm import CallRules, Connections, EnvironmentSource, ProviderOpener
from flowyard.serving import FlowServer, ServingSettings

EVENTS = "Accept: text/event-stream"
CODE = """\
from promptflow.core import tool


@tool
async def work(x: str):
    return pieces(x)


async def pieces(x):
    for number in range(int(x)):
        yield f"piece {number} "
"""


class EndlessModel:
    """A model that streams until its caller leaves, and says in which order things happened in ``events``."""

    def __init__(self) -> None:
        self.events: list[str] = []
        self.changed = threading.Condition()
        self.url = ""

    def note(self, event: str) -> None:
        with self.changed:
            self.events.append(event)
            self.changed.notify_all()

    def wait(self, event: str) -> None:
        with self.changed:
            assert self.changed.wait_for(lambda: event in self.events, 120)


@contextmanager
def endless_model() -> Iterator[EndlessModel]:
    model = EndlessModel()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.end_headers()
            piece = {"id": "1", "model": "m", "choices": [{"index": 0, "delta": {"content": "piece"}}]}
            self.wfile.write(f"data: {json.dumps(piece)}\n\n".encode())
            self.wfile.flush()
            model.note("began")
            assert self.connection.recv(1) == b"", "it says no more: the model waits until its caller is gone"
            model.note("left")

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    model.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield model
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_the_model_is_left_when_the_caller_leaves_though_it_never_says_more(project: Project):
    """The model sends one piece and then nothing: only a cancelled call can end the request to it."""
    flow = chat_flow(project)
    folder = project.root / "kept"
    with endless_model() as model:
        env = {"MY_MODEL_BASE_URL": f"{model.url}/v1", "MY_MODEL_API_KEY": "k", "FLOWYARD_SERVE_RECORDS": str(folder)}
        with serving(project, flow, env=env) as ask:
            parts = urlsplit(ask.url)
            with socket.create_connection((parts.hostname, parts.port)) as caller:
                caller.sendall(request("/score", {"question": "Hi"}, EVENTS))
                seen = b""
                while b'"piece"' not in seen:
                    seen += caller.recv(4096)
            model.wait("left")
            until_idle(ask)
            assert ask("/health/ready").status == 200
    assert model.events == ["began", "left"], "the call was not made again"
    (record,) = (json.loads(line) for file in folder.glob("*.jsonl") for line in file.read_text().splitlines())
    assert (record["status"], record["error"], record["outputs"]["answer"]) == (499, "the caller left", "piece")
    assert record["models"] == ["m"]


def request(path: str, body: Any, *headers: str) -> bytes:
    data = json.dumps(body).encode()
    head = [f"POST {path} HTTP/1.1", "Host: 127.0.0.1", f"Content-Length: {len(data)}", *headers, "", ""]
    return "\r\n".join(head).encode() + data


def until_idle(ask: Any) -> None:
    wait_until(lambda: "flowyard_serve_in_flight 0\n" in ask("/metrics").text)


def test_three_thousand_requests_and_aborted_streams_leave_nothing(project: Project):
    """Tasks, threads and open files are as many as before."""
    flow = project.root / project.flow("many", one_node_flow({"x": "string"}), work_py=CODE)
    before, after = asyncio.run(counts_around(flow))
    assert after == before


async def counts_around(flow: Path) -> tuple[dict[str, int], dict[str, int]]:
    async with server_of(flow) as (server, port):
        await crowd(port, 100)  # what is opened once is open now
        before = await settled(server)
        await crowd(port, 3000)
        return before, await settled(server)


@asynccontextmanager
async def server_of(flow: Path) -> AsyncIterator[tuple[FlowServer, int]]:
    connections = Connections([EnvironmentSource({})])
    runner = await prepare(load_flow(flow), connections, ProviderOpener(CallRules()), threads=1)
    server = FlowServer(runner, ServingSettings(grace_s=0))
    try:
        _, port = await server.listen("127.0.0.1", 0)
        yield server, port
    finally:
        await server.close()
        await runner.close()


async def settled(server: FlowServer) -> dict[str, int]:
    """What is open once every request has ended."""
    async with asyncio.timeout(120):
        while server.wire.open_connections or server.service.admission.under_way:  # noqa: ASYNC110 - tells nobody
            await asyncio.sleep(0.01)
    gc.collect()
    return {"tasks": len(asyncio.all_tasks()), "threads": threading.active_count(), "files": open_files()}


def open_files() -> int:
    folder = Path("/proc/self/fd")
    return sum(1 for _ in folder.iterdir()) if folder.is_dir() else 0


async def crowd(port: int, count: int) -> None:
    """So many requests of several kinds, 20 at once, chosen by a seed."""
    kinds = random.Random(5).choices(("whole", "stream", "abort", "wrong", "half"), k=count)
    waiting = iter(kinds)

    async def one_after_the_other() -> None:
        for kind in waiting:
            await one(port, kind)

    await asyncio.gather(*(one_after_the_other() for _ in range(20)))


async def one(port: int, kind: str) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    body = {} if kind == "wrong" else {"x": "100000" if kind == "abort" else "3"}
    sent = request("/score", body, "Connection: close", *([EVENTS] if kind in ("stream", "abort") else []))
    writer.write(sent[:-5] if kind == "half" else sent)
    if kind == "abort":
        await reader.readuntil(b"piece")
        writer.transport.abort()
    elif kind == "half":
        writer.close()
    else:
        answer = await reader.read()
        assert answer.startswith(b"HTTP/1.1 400 " if kind == "wrong" else b"HTTP/1.1 200 "), answer
        writer.close()
    with suppress(OSError):
        await writer.wait_closed()
