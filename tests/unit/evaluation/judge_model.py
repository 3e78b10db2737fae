"""A model endpoint whose answers a test gives, and judges asked outside of a run."""

from __future__ import annotations

import asyncio
import json
import re
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from aiohttp import web

from flowyard._util.aio import run_blocking
from flowyard.abc import Provider
from flowyard.llm import open_provider
from flowyard.llm.connection import Connection, OpenAIConnection, SimulatedConnection
from flowyard.llm.connections import Connections
from flowyard.llm.services import Services, use_services
from flowyard.llm.sources import DeclaredSource

__all__ = ["Endpoint", "Refusal", "ask", "endpoint", "judged", "simulated"]

_CANARY = re.compile(r'"canary": "([0-9a-f]{8})"')


class Refusal(Exception):
    """An answer with status 400 and this message."""


class Endpoint:
    """Answers with what ``reply(body)`` returns, a text; ``asked`` has every body."""

    def __init__(self, reply: Callable[[dict[str, Any]], str | None]) -> None:
        self.asked: list[dict[str, Any]] = []
        self.connection: Connection = OpenAIConnection()
        self._reply = reply

    async def answer(self, request: web.Request) -> web.Response:
        body = await request.json()
        self.asked.append(body)
        try:
            text = self._reply(body)
        except Refusal as refusal:
            return web.json_response({"error": {"message": str(refusal)}}, status=400)
        message = {"role": "assistant", "content": text}
        usage = {"prompt_tokens": 10, "completion_tokens": 3, "total_tokens": 13}
        return web.json_response({"choices": [{"index": 0, "message": message}], "usage": usage})


@contextmanager
def endpoint(reply: Callable[[dict[str, Any]], str | None]) -> Iterator[Endpoint]:
    """A running endpoint on this machine."""
    made = Endpoint(reply)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    app = web.Application()
    app.router.add_post("/v1/chat/completions", made.answer)
    runner = web.AppRunner(app, access_log=None)

    async def start() -> str:
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        return f"http://127.0.0.1:{runner.addresses[0][1]}/v1"

    url = asyncio.run_coroutine_threadsafe(start(), loop).result(timeout=30)
    made.connection = OpenAIConnection("a-key", base_url=url, name="grader")
    try:
        yield made
    finally:
        asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(timeout=30)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(timeout=30)
        loop.close()


def judged(body: dict[str, Any], grade: Any, reason: str = "So.", **others: Any) -> str:
    """The answer of a judge that keeps to its instructions."""
    canary = _CANARY.search(body["messages"][0]["content"])
    return json.dumps({**({"canary": canary[1]} if canary else {}), "reason": reason, "grade": grade, **others})


def simulated(folder: Path, rules: str) -> Connection:
    """The connection ``grader`` to a simulated model with these rules."""
    file = folder / "rules.yaml"
    file.write_text(rules, encoding="utf-8")
    return SimulatedConnection(file, name="grader")


def ask(
    connection: Connection,
    make: Callable[[], Callable[..., Coroutine[Any, Any, Any]]],
    *lines: dict[str, Any],
    opener: Callable[[Connection], Provider] = open_provider,
) -> list[Any]:
    """What a judge makes of some lines, one after the other."""
    services = Services(Connections([DeclaredSource([connection])]), opener)
    with use_services(services):
        judge = make()
        try:
            return [run_blocking(judge(**line)) for line in lines]
        finally:
            run_blocking(services.close())
