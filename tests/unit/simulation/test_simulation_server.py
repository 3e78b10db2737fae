from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp.test_utils import TestClient, TestServer

from flowyard.errors import UserError
from flowyard.simulation import Simulator, load_rules
from flowyard.simulation.server import make_app, run_server

_Client = TestClient[Any, Any]
_RULES = """
rules:
  - {name: limited, when: {user: limited}, reply: fine, faults: {rate_429: 0.7, retry_after_s: 0.01}}
  - {name: broken, when: {user: broken}, reply: one two three four, faults: {rate_cut_off: 1}}
  - {name: slow, when: {user: slow}, reply: late, latency: {median_ms: 100}}
  - {name: any, reply: "Hello from {{ model }}"}
"""


@pytest.fixture
async def start(tmp_path: Path) -> AsyncIterator[Callable[[str], Awaitable[_Client]]]:
    clients: list[_Client] = []

    async def begin(text: str) -> _Client:
        path = tmp_path / "rules.yaml"
        path.write_text(text, encoding="utf-8")
        client = TestClient(TestServer(make_app(Simulator(load_rules(path))), host="127.0.0.1"))
        await client.start_server()
        clients.append(client)
        return client

    yield begin
    for client in clients:
        await client.close()


@pytest.fixture
async def client(start: Callable[[str], Awaitable[_Client]]) -> _Client:
    return await start(_RULES)


def _chat(text: str, **more: Any) -> dict[str, Any]:
    return {"model": "m", "messages": [{"role": "user", "content": text}], **more}


@pytest.mark.parametrize(
    ("prefix", "model"),
    [("", "m"), ("/v1", "m"), ("/openai/v1", "m"), ("/openai/deployments/gpt-4", "gpt-4")],
)
async def test_every_address_answers(client: _Client, prefix: str, model: str) -> None:
    params = {"api-version": "2024-02-01"}
    async with client.post(f"{prefix}/chat/completions", json=_chat("hi"), params=params) as reply:
        assert reply.status == 200
        assert reply.headers["x-flowyard-simulated"] == "true"
        body = await reply.json()
        assert body["model"] == model
        assert body["choices"][0]["message"]["content"] == f"Hello from {model}"
    async with client.post(f"{prefix}/completions", json={"model": "m", "prompt": "hi"}) as reply:
        assert (await reply.json())["choices"][0]["text"] == f"Hello from {model}"
    async with client.post(f"{prefix}/embeddings", json={"model": "m", "input": "hi", "dimensions": 3}) as reply:
        assert len((await reply.json())["data"][0]["embedding"]) == 3


async def _events(reply: aiohttp.ClientResponse) -> list[str]:
    return [line.decode()[6:].rstrip("\n") async for line in reply.content if line.startswith(b"data: ")]


@pytest.mark.parametrize("with_usage", [True, False])
async def test_a_stream_ends_with_done(client: _Client, with_usage: bool) -> None:
    body = _chat("hi", stream=True, stream_options={"include_usage": with_usage})
    async with client.post("/v1/chat/completions", json=body) as reply:
        assert reply.content_type == "text/event-stream"
        assert reply.headers["x-flowyard-simulated"] == "true"
        *events, last = await _events(reply)
    assert last == "[DONE]"
    parts = [json.loads(event) for event in events]
    assert "".join(c["delta"].get("content") or "" for p in parts for c in p["choices"]) == "Hello from m"
    assert bool(parts[-1].get("usage")) is with_usage
    assert all(part["choices"] for part in parts) is not with_usage


async def test_a_rate_limited_request_succeeds_in_the_end(client: _Client) -> None:
    statuses = []
    for _ in range(100):
        async with client.post("/v1/chat/completions", json=_chat("limited, seed 3")) as reply:
            statuses.append(reply.status)
            if reply.status == 429:
                assert float(reply.headers["Retry-After"]) == 0.01
                assert (await reply.json())["error"]["code"] == "rate_limit_exceeded"
            else:
                break
    assert statuses[-1] == 200
    async with client.get("/stats") as reply:
        assert await reply.json() == {
            "calls": len(statuses),
            "by_rule": {"limited": len(statuses)},
            "faults": len(statuses) - 1,
        }
    async with client.post("/stats/reset") as reply:
        assert (await reply.json())["calls"] == 0


@pytest.mark.parametrize("stream", [True, False])
async def test_a_cut_off_answer_breaks_the_connection(client: _Client, stream: bool) -> None:
    async with client.post("/v1/chat/completions", json=_chat("broken", stream=stream)) as reply:
        assert reply.status == 200
        received = await reply.content.read(20)
        with pytest.raises(aiohttp.ClientPayloadError):
            await reply.read()
    assert received
    async with client.get("/health") as reply:
        assert reply.status == 200


async def test_concurrent_requests_wait_at_the_same_time(client: _Client) -> None:
    async def ask(number: int) -> int:
        async with client.post("/v1/chat/completions", json=_chat(f"slow {number}")) as reply:
            return reply.status

    began = time.monotonic()
    assert set(await asyncio.gather(*(ask(number) for number in range(50)))) == {200}
    assert 0.1 <= time.monotonic() - began < 2.0


async def test_bad_requests_get_openai_errors(client: _Client, start: Callable[[str], Awaitable[_Client]]) -> None:
    for data in (b"{", b"[]", b"\xff", b'{"messages": 1}'):
        async with client.post("/v1/chat/completions", data=data) as reply:
            assert reply.status == 400
            assert (await reply.json())["error"]["type"] == "invalid_request_error"
    for method, path, status in (("GET", "/nothing", 404), ("GET", "/v1/completions", 405)):
        async with client.request(method, path) as reply:
            assert reply.status == status
            assert reply.headers["x-flowyard-simulated"] == "true"
            assert "message" in (await reply.json())["error"]
    strict = await start("rules: [{when: {user: x}, reply: y}]")
    async with strict.post("/v1/chat/completions", json=_chat("Who?", stream=True)) as reply:
        assert reply.status == 400
        assert "Who?" in (await reply.json())["error"]["message"]


async def test_clients_can_look_first(client: _Client) -> None:
    async with client.get("/v1/models") as reply:
        assert (await reply.json())["data"][0]["id"] == "simulated"


@pytest.mark.skipif(os.name == "nt", reason="signals")
@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_the_server_runs_until_a_signal(tmp_path: Path, stop: signal.Signals) -> None:
    (tmp_path / "rules.yaml").write_text("rules: [{reply: x}]", encoding="utf-8")
    code = "from flowyard.simulation.server import run_server; run_server('rules.yaml', ready_file='ready')"
    with subprocess.Popen([sys.executable, "-c", code], cwd=tmp_path, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        while process.poll() is None and not (tmp_path / "ready").exists():
            time.sleep(0.01)
        url = (tmp_path / "ready").read_text()
        assert line == f"Simulated model on {url} (OpenAI: /v1, Azure: /openai)\n"
        process.send_signal(stop)
        assert process.wait(timeout=10) == 0


def test_a_taken_port_is_a_user_error(tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").write_text("rules: [{reply: x}]", encoding="utf-8")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(UserError, match="Cannot listen"):
            run_server(tmp_path / "rules.yaml", port=taken.getsockname()[1])
