"""Listening, and ending without losing a request."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Callable
from typing import Any

from flowyard.wire.limits import WireLimits
from flowyard.wire.message import Handler, Request, Response
from flowyard.wire.refusal import Refusal
from flowyard.wire.server.answering import Answering
from flowyard.wire.server.connection import Connection

__all__ = ["WireServer"]

_SWEEP_S = 0.5
_QUIET_S = 0.25
"""How long connections are accepted, and then idle ones kept, while draining: what is on its way is still answered."""
_BACKLOG = 2048


class WireServer:
    """Answers requests with ``handle``, and what never became a request with what ``refused`` makes of it.

    ``handle`` raises nothing; when it does, the connection is cut. ``before_body`` is asked when the body of a request
    is still to come: what it answers is the answer, and the body is not read. ``begin`` may take a request
    that needs no task: it gets the lines of the head, without the end of the last one, and what followed the head,
    which is not more than the body only if the head says so. When it gives None, ``handle`` answers. What it takes must
    be nothing that reading the head in full would refuse, and it sets the connection's deadline.
    """

    def __init__(
        self,
        handle: Handler,
        refused: Callable[[Refusal], Response],
        limits: WireLimits | None = None,
        *,
        before_body: Callable[[Request], Response | None] | None = None,
        begin: Callable[[bytes, bytes, Connection], Answering | None] | None = None,
    ) -> None:
        self.handle = handle
        self.refused = refused
        self.before_body = before_body
        self.begin = begin
        self.limits = limits or WireLimits()
        self.held_bytes = 0
        self.is_draining = False
        self._connections: set[Connection] = set()
        self._server: asyncio.Server | None = None
        self._accepting: list[socket.socket] = []
        self._sweeping: asyncio.Task[None] | None = None
        self._empty = asyncio.Event()

    async def listen(self, host: str, port: int, opened: socket.socket | None = None) -> tuple[str, int]:
        """Begin, on a socket that is ``opened`` already if there is one; gives the address. Raises OSError."""
        self.loop = asyncio.get_running_loop()
        where: dict[str, Any] = {"sock": opened} if opened is not None else {"host": host, "port": port}
        self._server = await self.loop.create_server(lambda: Connection(self), **where, backlog=_BACKLOG)
        self._accepting = [socket.socket(fileno=os.dup(each.fileno())) for each in self._server.sockets]
        self._sweeping = self.loop.create_task(self._sweep())
        name = self._server.sockets[0].getsockname()
        return str(name[0]), int(name[1])

    @property
    def open_connections(self) -> int:
        return len(self._connections)

    def add(self, connection: Connection) -> bool:
        """Take note of a connection; False when there are too many."""
        self._connections.add(connection)
        return len(self._connections) <= self.limits.connections

    def remove(self, connection: Connection) -> None:
        self._connections.discard(connection)
        if not self._connections:
            self._empty.set()

    async def drain(self, grace_s: float) -> None:
        """Answer what is under way or on its way within ``grace_s`` seconds, accept nothing more, end the rest."""
        self.is_draining = True
        await asyncio.sleep(min(_QUIET_S, grace_s))
        await self._accept_last()
        await self._until_empty(min(_QUIET_S, grace_s))
        self._close_idle()
        await self._until_empty(grace_s)
        for connection in list(self._connections):
            connection.stop()
        await self._until_empty(1.0)
        if self._sweeping is not None:
            self._sweeping.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._sweeping
        for connection in list(self._connections):
            connection.too_slow()
        await asyncio.sleep(0)

    async def _accept_last(self) -> None:
        """Stop listening, but take who was let in by the system already: they would lose what they have sent."""
        if self._server is not None:
            self._server.close()
        late: list[socket.socket] = []
        for each in self._accepting:
            with contextlib.suppress(OSError):
                while True:
                    late.append(each.accept()[0])
            each.close()
        self._accepting.clear()
        for each in late:
            each.setblocking(False)
            with contextlib.suppress(OSError):
                await self.loop.connect_accepted_socket(lambda: Connection(self), each)

    async def _until_empty(self, seconds: float) -> None:
        if self._connections:
            self._empty.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._empty.wait(), seconds)

    def _close_idle(self) -> None:
        for connection in list(self._connections):
            connection.close_idle()

    async def _sweep(self) -> None:
        """End connections that are too slow; one timer for all of them is cheaper than one for each request."""
        while True:
            await asyncio.sleep(_SWEEP_S)
            now = self.loop.time()
            for connection in [each for each in self._connections if each.deadline is not None]:
                if connection.deadline is not None and connection.deadline < now:
                    connection.too_slow()
