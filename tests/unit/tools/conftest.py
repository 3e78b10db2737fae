from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web

from flowyard.llm import open_provider
from flowyard.llm.connection import Connection
from flowyard.llm.connections import Connections
from flowyard.llm.retry import RetryPolicy
from flowyard.llm.services import Services
from flowyard.llm.sources import DeclaredSource

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class Fake:
    """A service that gives prepared answers in turn (the last one again and again) and keeps what it was asked."""

    url: str = ""
    answers: list[Answer] = field(default_factory=list)
    asked: list[tuple[str, dict[str, str], dict[str, str], Any]] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        data = await request.read()
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.asked.append((request.raw_path, dict(request.query), headers, json.loads(data) if data else None))
        return await self.answers[min(len(self.asked), len(self.answers)) - 1](request)

    def says(self, body: Any, status: int = 200, **headers: str) -> Fake:
        """Add an answer: JSON, or text as it is."""

        async def answer(request: web.Request) -> web.Response:
            given = {name.replace("_", "-"): value for name, value in headers.items()}
            text = body if isinstance(body, str) else json.dumps(body)
            return web.Response(text=text, status=status, headers=given, content_type="application/json")

        self.answers.append(answer)
        return self

    def never_answers(self) -> Fake:
        """Add an answer that does not come before the test ends."""

        async def answer(request: web.Request) -> web.Response:
            await self.ended.wait()
            return web.Response()

        self.answers.append(answer)
        return self

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)

    @property
    def bodies(self) -> list[Any]:
        return [body for _, _, _, body in self.asked]


@pytest.fixture
async def fake() -> AsyncIterator[Fake]:
    served = Fake()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", served.answer)
    runner = web.AppRunner(app, shutdown_timeout=0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    served.url = f"http://{host}:{port}"
    yield served
    served.ended.set()
    await runner.cleanup()


@pytest.fixture
async def services_with(fake: Fake) -> AsyncIterator[Callable[..., Services]]:
    """Makes services that know these connections and retry without waiting."""
    made: list[Services] = []

    def make(*connections: Connection) -> Services:
        policy = RetryPolicy(attempts=3, sleep=fake.sleep, chance=lambda: 0.0)
        services = Services(Connections([DeclaredSource(connections)]), open_provider, retry=policy)
        made.append(services)
        return services

    yield make
    for services in made:
        await services.close()
