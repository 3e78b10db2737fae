"""Host names of slots: a listener with TLS for each, which sends requests to what the slot has now."""

from __future__ import annotations

import asyncio
import itertools
import socket
import ssl
from collections.abc import Awaitable, Callable

from aiohttp import web

Handle = Callable[[web.Request, bytes], Awaitable[web.Response]]


class Front:
    """Listens from the beginning; it is to be made on the loop that serves it."""

    def __init__(self, context: ssl.SSLContext, handle: Handle) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.host = f"127.0.0.1:{self._socket.getsockname()[1]}"
        self._handle = handle
        self._started = asyncio.get_running_loop().create_task(self._start(context))

    async def close(self) -> None:
        runner = await self._started
        await runner.cleanup()

    async def _start(self, context: ssl.SSLContext) -> web.AppRunner:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._answer)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await runner.setup()
        await web.SockSite(runner, self._socket, ssl_context=context).start()
        return runner

    async def _answer(self, request: web.Request) -> web.Response:
        return await self._handle(request, await request.read())


class Turns:
    """Deals requests out by percent: the same every time, and exactly those percents of each hundred."""

    def __init__(self) -> None:
        self._count = itertools.count()

    def choose(self, percents: dict[str, float]) -> str | None:
        """A slot's host, or None for production."""
        place = next(self._count) * 37 % 100
        for host, percent in percents.items():
            if place < percent:
                return host
            place -= int(percent)
        return None
