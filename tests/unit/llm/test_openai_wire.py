from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from aiohttp import web

from flowyard._util.retry_after import parse_retry_after
from flowyard.errors import ProviderError, UserError
from flowyard.llm.connection import AzureOpenAIConnection, Connection, OpenAIConnection, ServerlessConnection
from flowyard.llm.pacing import RateLimit
from flowyard.llm.pacing.pacer import PacerRules, open_pacer
from flowyard.llm.parameters import read_usage
from flowyard.llm.providers.openai_wire import OpenAIWireProvider
from flowyard.llm.providers.paced import PacedProvider
from flowyard.llm.retry import RetryPolicy
from flowyard.records import ModelRequest, Usage

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]
OK = {
    "choices": [{"message": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 5, "completion_tokens": 2},
}
REQUEST = ModelRequest("chat", "gpt/x", {"messages": []})
KEY = "sk-very-secret"


class Endpoint:
    """A server that gives prepared answers in turn (the last one again and again) and keeps what it was asked."""

    def __init__(self) -> None:
        self.url = ""
        self.answers: list[Answer] = []
        self.requests: list[tuple[web.Request, dict[str, Any]]] = []
        self.waits: list[float] = []
        self.now = 1000.0

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.requests.append((request, json.loads(await request.read())))
        return await self.answers[min(len(self.requests), len(self.answers)) - 1](request)

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += seconds

    def provider(self, connection: Connection | None = None) -> PacedProvider:
        rules = PacerRules(RetryPolicy(attempts=3, sleep=self.sleep, chance=lambda: 0.0), lambda: self.now)
        wire = OpenAIWireProvider(connection or OpenAIConnection(KEY, base_url=f"{self.url}/v1/"))
        return PacedProvider(wire, open_pacer("model", RateLimit(), None, rules))


@pytest.fixture
async def endpoint() -> AsyncIterator[Endpoint]:
    served = Endpoint()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", served.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    served.url = f"http://{host}:{port}"
    yield served
    await runner.cleanup()


def says(body: Any = None, status: int = 200, **headers: str) -> Answer:
    async def answer(request: web.Request) -> web.Response:
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        return web.json_response(OK if body is None else body, status=status, headers=given)

    return answer


def streams(*events: Any, done: bool = True, **headers: str) -> Answer:
    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={name.replace("_", "-"): value for name, value in headers.items()})
        response.content_type = "text/event-stream"
        await response.prepare(request)
        await response.write(b": hello\n\n")
        for event in events:
            data = f"data: {json.dumps(event)}\r\n\r\n".encode()
            await response.write(data[:9])
            await response.write(data[9:])
        if done:
            await response.write(b"data: [DONE]\n\n")
        return response

    return answer


def error(message: str, kind: str | None = None) -> dict[str, Any]:
    return {"error": {"message": message, "type": kind}}


async def collect(provider: PacedProvider) -> list[Any]:
    return [chunk async for chunk in provider.stream(REQUEST)]


async def test_success(endpoint: Endpoint) -> None:
    endpoint.answers = [says()]
    provider = endpoint.provider()
    reply = await provider.call(REQUEST)
    await provider.close()
    assert (reply.body, reply.usage, reply.attempts) == (OK, Usage(1, 5, 2, 0), 1)
    request, body = endpoint.requests[0]
    assert request.path == "/v1/chat/completions"
    assert request.headers["Authorization"] == f"Bearer {KEY}"
    assert body == {"messages": [], "model": "gpt/x"}
    with pytest.raises(RuntimeError, match="closed"):
        await provider.call(REQUEST)


async def test_the_simulators_server_is_recognised(endpoint: Endpoint) -> None:
    endpoint.answers = [says(x_flowyard_simulated="1")]
    provider = endpoint.provider(OpenAIConnection(base_url=endpoint.url))
    assert (await provider.call(REQUEST)).usage.simulated_calls == 1
    assert "Authorization" not in endpoint.requests[0][0].headers
    await provider.close()


async def test_azure_url_and_headers(endpoint: Endpoint) -> None:
    endpoint.answers = [says()]
    provider = endpoint.provider(AzureOpenAIConnection(endpoint.url + "/", KEY))
    await provider.call(REQUEST)
    await provider.close()
    request, _ = endpoint.requests[0]
    assert request.raw_path == "/openai/deployments/gpt%2Fx/chat/completions?api-version=2024-02-01"
    assert request.headers["api-key"] == KEY
    assert "Authorization" not in request.headers


async def test_serverless_url(endpoint: Endpoint) -> None:
    endpoint.answers = [says()]
    provider = endpoint.provider(ServerlessConnection(KEY, endpoint.url))
    await provider.call(ModelRequest("completion", "", {"prompt": "p"}))
    await provider.close()
    request, body = endpoint.requests[0]
    assert (request.path, body) == ("/v1/completions", {"prompt": "p"})


async def test_retries_wait_as_long_as_asked(endpoint: Endpoint) -> None:
    endpoint.answers = [says(error("slow"), 429, Retry_After="7"), says(error("oops"), 500), says()]
    provider = endpoint.provider()
    reply = await provider.call(REQUEST)
    await provider.close()
    assert (reply.attempts, endpoint.waits) == (3, [0.0, 7.0, 0.0])


async def test_retry_after_as_a_date(endpoint: Endpoint) -> None:
    later = format_datetime(datetime.now(UTC) + timedelta(minutes=5), usegmt=True)
    endpoint.answers = [says(error("slow"), 429, Retry_After=later), says()]
    provider = endpoint.provider()
    await provider.call(REQUEST)
    await provider.close()
    assert 200 < sum(endpoint.waits) <= 300


async def test_a_pause_of_many_years_is_not_waited_for(endpoint: Endpoint) -> None:
    endpoint.answers = [says(error("slow"), 429, Retry_After="Fri, 31 Dec 2100 23:59:59 GMT")]
    provider = endpoint.provider()
    for message in ("slow", "asked not to be called"):
        with pytest.raises(ProviderError, match=message):
            await provider.call(REQUEST)
    await provider.close()
    assert (len(endpoint.requests), endpoint.waits) == (1, [])


@pytest.mark.parametrize(
    ("status", "kind", "calls"),
    [(401, None, 1), (400, None, 1), (404, None, 1), (429, "insufficient_quota", 1), (503, None, 3)],
)
async def test_what_is_tried_again(endpoint: Endpoint, status: int, kind: str | None, calls: int) -> None:
    endpoint.answers = [says(error(f"Bad key {KEY}", kind), status)]
    provider = endpoint.provider()
    with pytest.raises(ProviderError, match=r"answered .* Bad key \*{6}") as caught:
        await provider.call(REQUEST)
    await provider.close()
    assert (caught.value.status, len(endpoint.requests)) == (status, calls)
    assert KEY not in str(caught.value)


async def test_an_answer_that_is_not_json(endpoint: Endpoint) -> None:
    async def page(request: web.Request) -> web.Response:
        return web.Response(text="<html>")

    endpoint.answers = [page]
    provider = endpoint.provider()
    with pytest.raises(ProviderError, match="did not answer with JSON"):
        await provider.call(REQUEST)
    await provider.close()


async def test_nobody_answers(endpoint: Endpoint, unused_tcp_port: int) -> None:
    provider = endpoint.provider(OpenAIConnection(base_url=f"http://127.0.0.1:{unused_tcp_port}"))
    with pytest.raises(ProviderError, match="cannot be reached") as caught:
        await provider.call(REQUEST)
    await provider.close()
    assert caught.value.status is None
    assert len(endpoint.waits) == 2


async def test_too_slow(endpoint: Endpoint) -> None:
    async def late(request: web.Request) -> web.Response:
        await asyncio.sleep(0.3)
        return web.json_response(OK)

    endpoint.answers = [late]
    provider = endpoint.provider()
    with pytest.raises(ProviderError, match="did not answer in time"):
        await provider.call(ModelRequest("chat", "m", {}, timeout_s=0.05))
    await provider.close()


async def test_streaming(endpoint: Endpoint) -> None:
    delta = {"choices": [{"delta": {"content": "hi"}}]}
    last = {"choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 2}}
    endpoint.answers = [says(error("busy"), 503), streams(delta, last, x_flowyard_simulated="1")]
    provider = endpoint.provider()
    chunks = await collect(provider)
    await provider.close()
    assert [chunk["choices"] for chunk in chunks] == [delta["choices"], []]
    assert read_usage(chunks[-1]) == Usage(1, 1, 2, 1, refused_calls=1)
    body = endpoint.requests[-1][1]
    assert (body["stream"], body["stream_options"]) == (True, {"include_usage": True})


@pytest.mark.parametrize("events", [(), ({"choices": [{"delta": {"content": "h"}}]},), (error("overloaded"),), ("x",)])
async def test_a_stream_that_is_cut_off(endpoint: Endpoint, events: tuple[Any, ...]) -> None:
    endpoint.answers = [streams(*events, done=False)]
    provider = endpoint.provider()
    with pytest.raises(ProviderError, match="cut off"):
        await collect(provider)
    await provider.close()


async def test_a_stream_may_end_with_its_finish_reason(endpoint: Endpoint) -> None:
    endpoint.answers = [streams({"choices": [{"delta": {}, "finish_reason": "stop"}]}, done=False)]
    provider = endpoint.provider()
    assert len(await collect(provider)) == 1
    await provider.close()


async def test_an_endpoint_that_knows_no_stream_options(endpoint: Endpoint) -> None:
    endpoint.answers = [says(error("Unrecognized argument: stream_options"), 400), streams()]
    provider = endpoint.provider()
    assert await collect(provider) == []
    await provider.close()
    assert "stream_options" not in endpoint.requests[1][1]


async def test_a_broken_key_is_not_shown(endpoint: Endpoint) -> None:
    provider = endpoint.provider(OpenAIConnection("sk-…"))
    with pytest.raises(UserError, match="characters no key can have") as caught:
        await provider.call(REQUEST)
    assert "sk-" not in str(caught.value)


def test_one_provider_serves_one_loop_after_another() -> None:
    async def ask(wire: OpenAIWireProvider | None) -> OpenAIWireProvider:
        served = Endpoint()
        served.answers = [says()]
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", served.answer)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0][:2]
        used = wire or OpenAIWireProvider(OpenAIConnection(base_url="http://unset"))
        used._connection.base_url = f"http://{host}:{port}"
        await used.call(REQUEST)
        if wire:
            await used.close()
        await runner.cleanup()
        return used

    asyncio.run(ask(asyncio.run(ask(None))))


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"Retry-After": "2.5"}, 2.5),
        ({"Retry-After": "-1"}, None),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "9", "retry-after-ms": "1500"}, 1.5),
        ({"Retry-After": "Wed, 01 Jan 2025 00:00:30 GMT"}, 30.0),
        ({"Retry-After": "Wed, 01 Jan 2020 00:00:00 GMT"}, 0.0),
    ],
)
def test_retry_after(headers: dict[str, str], seconds: float | None) -> None:
    assert parse_retry_after(headers, datetime(2025, 1, 1, tzinfo=UTC)) == seconds


def test_waits_grow_to_the_cap() -> None:
    policy = RetryPolicy(chance=lambda: 1.0)
    assert [policy.wait_s(attempt, None) for attempt in (1, 2, 3, 9)] == [1.0, 2.0, 4.0, 60.0]
    assert policy.wait_s(1, 100.0) == 60.0
