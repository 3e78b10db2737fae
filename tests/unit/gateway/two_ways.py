"""Two gateways in this process, over real sockets: one may use the short way, the other never does."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import replace
from pathlib import Path

from flowyard._util.event_loop import loop_factory
from flowyard.gateway.gateway import Gateway
from flowyard.gateway.settings import Backend, GatewaySettings, Limits, StickySettings
from flowyard.wire import Place, Request, Response

__all__ = ["OK", "RawBackend", "TwoWays", "first_answer", "headers_of", "ids", "run", "two_ways"]

OK = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok"
PATIENCE_S = 60
_SETTINGS = GatewaySettings(
    *("test", "test", "127.0.0.1", 0, {}),
    salt="known",
    sticky=StickySettings(header="x-user-id"),
    limits=Limits(grace_s=1),
)


class RawBackend:
    """Says ``pieces`` to each request, and keeps what it was asked; an empty piece ends the connection."""

    def __init__(self) -> None:
        self.asked: list[bytes] = []
        self.pieces: list[bytes] = [OK]
        self.held: asyncio.Event | None = None
        self.came, self.left = asyncio.Event(), asyncio.Event()
        self.writer: asyncio.StreamWriter | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = head.lower().partition(b"\r\ncontent-length: ")[2].partition(b"\r\n")[0]
                self.asked.append(head + await reader.readexactly(int(length or 0)))
                self.writer = writer
                self.came.set()
                if self.held is not None:
                    reading = asyncio.ensure_future(reader.read(1))
                    holding = asyncio.ensure_future(self.held.wait())
                    await asyncio.wait({reading, holding}, return_when=asyncio.FIRST_COMPLETED)
                    holding.cancel()
                    if reading.done():
                        break
                    reading.cancel()
                if not await self._say(writer):
                    break
        self.left.set()
        writer.close()
        with contextlib.suppress(ConnectionError, asyncio.CancelledError):
            await writer.wait_closed()

    async def _say(self, writer: asyncio.StreamWriter) -> bool:
        for piece in self.pieces:
            if not piece:
                return False
            writer.write(piece)
            await writer.drain()
            for _ in range(3):
                await asyncio.sleep(0)  # whether the pieces come apart or together changes nothing
        return True

    async def end(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


class TwoWays:
    """``short`` and ``general`` are the ports; ``handled`` counts what the first did not answer by the short way."""

    def __init__(self, backend: RawBackend, short: int, general: int) -> None:
        self.backend = backend
        self.short = short
        self.general = general
        self.handled = 0
        self.noted: list[tuple[str, int]] = []

    async def say(self, port: int, pieces: Iterable[bytes], *, warm: bool = True) -> tuple[bytes, list[bytes]]:
        """What is answered until the gateway closes, or says nothing more, and what the backend was asked for it."""
        if warm:
            await self.warm(port)
        before = len(self.backend.asked)
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /first HTTP/1.1\r\nhost: a\r\napi-key: key\r\n\r\n")
        held, said = self.backend.pieces, self.backend.held
        self.backend.pieces, self.backend.held = [OK], None
        async with asyncio.timeout(PATIENCE_S):
            await reader.readuntil(b"\r\n\r\nok")
        self.backend.pieces, self.backend.held = held, said
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            for _ in range(3):
                await asyncio.sleep(0)
        writer.write(b"GET /last HTTP/1.1\r\nhost: a\r\napi-key: key\r\nconnection: close\r\n\r\n")
        answer = b""
        with contextlib.suppress(ConnectionError):
            async with asyncio.timeout(PATIENCE_S):
                answer = await reader.read()
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
        asked = [each for each in self.backend.asked[before + 1 :] if b"/last " not in each.partition(b"\r\n")[0]]
        return answer, asked

    async def warm(self, port: int) -> None:
        """Have a connection to the backend that is kept."""
        held, said = self.backend.pieces, self.backend.held
        self.backend.pieces, self.backend.held = [OK], None
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /warm HTTP/1.1\r\nhost: a\r\napi-key: key\r\nconnection: close\r\n\r\n")
        assert await reader.read()
        writer.close()
        await writer.wait_closed()
        self.backend.pieces, self.backend.held = held, said


@contextlib.asynccontextmanager
async def two_ways(**changes: object) -> AsyncIterator[TwoWays]:
    raw = RawBackend()
    server = await asyncio.start_server(raw, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()[:2]
    backends = {"a": Backend("a", f"http://{host}:{port}", Place(host, port), "/prefix", 100.0, "a:1")}
    given = replace(_SETTINGS, backends=backends, **changes)  # type: ignore[arg-type]
    with tempfile.TemporaryDirectory() as folder:
        short, general = Gateway(given, Path(folder) / "short"), Gateway(given, Path(folder) / "general")
        general.server.begin = None
        ways = TwoWays(raw, (await short.listen("127.0.0.1", 0))[1], (await general.listen("127.0.0.1", 0))[1])
        handle = short.server.handle

        async def counted(request: Request) -> Response:
            ways.handled += 1
            return await handle(request)

        short.server.handle = counted
        try:
            yield ways
        finally:
            assert (short.data.under_way, general.data.under_way) == (0, 0)
            server.close()
            await asyncio.gather(short.close(), general.close())
            await raw.end()
            await server.wait_closed()


def run(use: Callable[[TwoWays], Awaitable[None]], **changes: object) -> None:
    async def main() -> None:
        async with two_ways(**changes) as ways:
            await use(ways)

    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(main())


def headers_of(head: bytes) -> dict[bytes, list[bytes]]:
    """The headers of one head, with lower-case names; a repeated one with all its values."""
    found: dict[bytes, list[bytes]] = {}
    for line in head.partition(b"\r\n\r\n")[0].split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        found.setdefault(name.lower(), []).extend(each.strip() for each in value.split(b","))
    return found


def ids(head: bytes) -> dict[bytes, list[bytes]]:
    """The same, without names that were made."""
    return {name: value for name, value in headers_of(head).items() if name not in (b"x-request-id", b"traceparent")}


def first_answer(data: bytes) -> tuple[bytes, dict[bytes, list[bytes]], bytes]:
    """Status, headers and body of the first of the answers; how the body is framed depends on how it came."""
    head, _, rest = data.partition(b"\r\n\r\n")
    headers, body = ids(head + b"\r\n\r\n"), rest.partition(b"HTTP/1.1")[0]
    if headers.pop(b"transfer-encoding", None):
        pieces = []
        while size := int(body.partition(b"\r\n")[0], 16):
            body = body.partition(b"\r\n")[2]
            pieces.append(body[:size])
            body = body[size + 2 :]
        body = b"".join(pieces)
    headers.pop(b"content-length", None)
    return head.partition(b"\r\n")[0][:12], headers, body
