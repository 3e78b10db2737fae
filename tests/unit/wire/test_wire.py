"""The HTTP layer on real sockets: what is framed badly is refused, what is framed well is answered in order."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowyard.wire import Refusal, Request, Response, WireLimits, WireServer
from flowyard.wire.reading.chunks import ChunkReader
from flowyard.wire.reading.head import find_head, parse_head
from flowyard.wire.written import NOT_BEGUN

PATIENCE_S = 60
HEAD = "POST /x HTTP/1.1\r\nHost: a\r\n"
SMALL = WireLimits(head_bytes=1000, body_bytes=100, fields=10)


class Behind:
    """What stands behind the server: it notes each request and answers with its body."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str, bytes]] = []
        self.began = asyncio.Event()
        self.may_end = asyncio.Event()
        self.was_cancelled = asyncio.Event()

    async def __call__(self, request: Request) -> Response:
        self.seen.append((request.method, request.path, request.body))
        if request.path == "/stream":
            return Response(200, self.pieces(request), "text/event-stream")
        if request.path == "/wait":
            await self.wait()
        return Response(200, request.body or b"nothing")

    async def wait(self) -> None:
        self.began.set()
        try:
            await self.may_end.wait()
        except asyncio.CancelledError:
            self.was_cancelled.set()
            raise

    async def pieces(self, request: Request) -> AsyncGenerator[bytes, None]:
        yield b"one"
        try:
            await self.wait()
        except asyncio.CancelledError:
            if request.is_gone:
                raise
            yield b"stopped"
            return
        yield b"two"


def refused(refusal: Refusal) -> Response:
    return Response(refusal.status, refusal.message.encode(), "text/plain")


@asynccontextmanager
async def serving(limits: WireLimits = SMALL) -> AsyncIterator[tuple[WireServer, Behind, int]]:
    behind = Behind()
    server = WireServer(behind, refused, limits)
    _, port = await server.listen("127.0.0.1", 0)
    try:
        yield server, behind, port
    finally:
        await server.drain(0)


async def said(port: int, *parts: bytes) -> bytes:
    """All that comes back for these bytes until the server closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for part in parts:
            writer.write(part)
            await writer.drain()
        return await asyncio.wait_for(reader.read(), PATIENCE_S)
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


async def until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not is_so():  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0.001)


def run(use: Callable[[WireServer, Behind, int], Awaitable[None]], limits: WireLimits = SMALL) -> None:
    async def main() -> None:
        async with serving(limits) as (server, behind, port):
            await use(server, behind, port)

    asyncio.run(main())


BAD = {
    "length and chunks": (HEAD + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    "chunks and length": (HEAD + "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n", 400),
    "two lengths": (HEAD + "Content-Length: 1\r\nContent-Length: 2\r\n\r\nab", 400),
    "the same length twice": (HEAD + "Content-Length: 1\r\nContent-Length: 1\r\n\r\na", 400),
    "a list of lengths": (HEAD + "Content-Length: 1, 1\r\n\r\na", 400),
    "a signed length": (HEAD + "Content-Length: +1\r\n\r\na", 400),
    "two codings": (HEAD + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    "another coding": (HEAD + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501),
    "a coding of old": ("POST /x HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    "a folded header": (HEAD + "A: b\r\n c\r\n\r\n", 400),
    "a blank before the colon": (HEAD + "Content-Length : 1\r\n\r\na", 400),
    "no name": (HEAD + ": x\r\n\r\n", 400),
    "a bare line feed": ("POST /x HTTP/1.1\nHost: a\n\n", 400),
    "one bare line feed": (HEAD + "A: b\nContent-Length: 5\r\n\r\n", 400),
    "a carriage return alone": (HEAD + "A: b\rContent-Length: 5\r\n\r\n", 400),
    "a zero byte": (HEAD + "A: b\0\r\n\r\n", 400),
    "no host": ("GET /x HTTP/1.1\r\n\r\n", 400),
    "two hosts": (HEAD + "Host: b\r\n\r\n", 400),
    "two keys": (HEAD + "Authorization: a\r\nAuthorization: b\r\n\r\n", 400),
    "another version": ("GET /x HTTP/2.0\r\nHost: a\r\n\r\n", 400),
    "no version": ("GET /x\r\nHost: a\r\n\r\n", 400),
    "two blanks": ("GET  /x HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    "no path": ("GET x HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    "an expectation": (HEAD + "Expect: tea\r\n\r\n", 417),
    "a chunk's extension": (HEAD + "Transfer-Encoding: chunked\r\n\r\n1;a=b\r\nx\r\n0\r\n\r\n", 400),
    "a chunk's sign": (HEAD + "Transfer-Encoding: chunked\r\n\r\n+1\r\nx\r\n0\r\n\r\n", 400),
    "a chunk too long": (HEAD + "Transfer-Encoding: chunked\r\n\r\n1\r\nxy\r\n0\r\n\r\n", 400),
    "a chunk with a bare line feed": (HEAD + "Transfer-Encoding: chunked\r\n\r\n1\nx\r\n0\r\n\r\n", 400),
    "a trailer": (HEAD + "Transfer-Encoding: chunked\r\n\r\n0\r\nA: b\r\n\r\n", 400),
    "a large body": (HEAD + "Content-Length: 101\r\n\r\n", 413),
    "a large chunk": (HEAD + "Transfer-Encoding: chunked\r\n\r\n65\r\n", 413),
    "a large head": (HEAD + f"A: {'b' * 1000}\r\n\r\n", 431),
    "a head without end": (HEAD + f"A: {'b' * 1000}", 431),
    "many headers": (HEAD + "".join(f"A{number}: b\r\n" for number in range(10)) + "\r\n", 431),
    "TLS": ("\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", 400),
}


@pytest.mark.parametrize("name", BAD)
def test_what_two_servers_could_read_differently_is_refused(name: str):
    text, status = BAD[name]
    smuggled = b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"

    async def use(_server: WireServer, behind: Behind, port: int) -> None:
        answer = await said(port, text.encode("latin-1"), smuggled)
        assert answer.startswith(f"HTTP/1.1 {status} ".encode())
        assert b"\r\nconnection: close\r\n" in answer
        assert answer.count(b"HTTP/1.1 ") == 1
        assert behind.seen == []

    run(use)


def test_requests_of_one_connection_are_answered_in_order():
    async def use(_server: WireServer, behind: Behind, port: int) -> None:
        one = b"POST /a?b=c HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"
        two = b"POST http://a/d HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nde\r\n1\r\nf\r\n0\r\n\r\n"
        three = b"HEAD /g HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
        late = b"GET /late HTTP/1.1\r\nHost: a\r\n\r\n"
        answer = await said(port, one + two + three + late)
        assert behind.seen == [("POST", "/a", b"abc"), ("POST", "/d", b"def"), ("HEAD", "/g", b"")]
        assert answer.count(b"HTTP/1.1 200") == 3
        assert b"\r\n\r\nabcHTTP/1.1" in answer
        assert b"\r\n\r\ndefHTTP/1.1" in answer
        assert answer.endswith(b"content-length: 7\r\nconnection: close\r\n\r\n"), "an answer to HEAD has no body"

    run(use)


def test_bytes_may_come_one_by_one():
    async def use(_server: WireServer, behind: Behind, port: int) -> None:
        text = b"POST /a HTTP/1.0\r\nContent-Length: 3\r\n\r\nabc"
        answer = await said(port, *(bytes([each]) for each in text))
        assert behind.seen == [("POST", "/a", b"abc")]
        assert answer.endswith(b"connection: close\r\n\r\nabc")

    run(use)


def test_who_asks_is_told_to_send_the_body():
    async def use(_server: WireServer, _behind: Behind, port: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(HEAD.encode() + b"Expect: 100-continue\r\nContent-Length: 2\r\n\r\n")
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(b"ab")
        assert (await reader.readuntil(b"\r\n\r\nab")).startswith(b"HTTP/1.1 200")
        writer.close()
        await writer.wait_closed()

    run(use)


@pytest.mark.parametrize(
    ("sent", "status"),
    [(b"POST /x HTTP/1.1\r\nHo", 408), (HEAD.encode() + b"Content-Length: 9\r\n\r\nabc", 408), (b"", None)],
)
def test_slow_clients_are_sent_away(sent: bytes, status: int | None):
    async def use(_server: WireServer, behind: Behind, port: int) -> None:
        answer = await said(port, sent)
        assert answer.startswith(f"HTTP/1.1 {status} ".encode()) if status else answer == b""
        assert behind.seen == []

    run(use, WireLimits(head_s=0.05, body_s=0.05))


def test_a_connection_too_many_is_told_so():
    async def use(_server: WireServer, _behind: Behind, port: int) -> None:
        _, first = await asyncio.open_connection("127.0.0.1", port)
        assert (await said(port, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")).startswith(b"HTTP/1.1 503 ")
        first.close()
        await first.wait_closed()

    run(use, WireLimits(connections=1))


@pytest.mark.parametrize("path", ["/wait", "/stream"])
def test_who_leaves_is_no_longer_worked_for(path: str):
    async def use(_server: WireServer, behind: Behind, port: int) -> None:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
        await asyncio.wait_for(behind.began.wait(), PATIENCE_S)
        writer.close()
        await asyncio.wait_for(behind.was_cancelled.wait(), PATIENCE_S)

    run(use)


def test_draining_ends_what_is_under_way_and_answers_what_still_comes():
    async def use(server: WireServer, behind: Behind, port: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        idle_reader, idle = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /stream HTTP/1.1\r\nHost: a\r\n\r\nGET /late HTTP/1.1\r\nHost: a\r\n\r\n")
        await asyncio.wait_for(behind.began.wait(), PATIENCE_S)
        draining = asyncio.create_task(server.drain(PATIENCE_S))
        await asyncio.sleep(0)
        assert server.is_draining
        assert NOT_BEGUN.encode() in await asyncio.wait_for(idle_reader.read(), PATIENCE_S)
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", port)
        behind.may_end.set()
        answer = await asyncio.wait_for(reader.read(), PATIENCE_S)
        await draining
        assert b"3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n" in answer
        assert server.open_connections == 0
        for each in (writer, idle):
            each.close()
            with contextlib.suppress(ConnectionError):
                await each.wait_closed()

    run(use)


def test_draining_lets_a_stream_say_a_last_word():
    async def use(server: WireServer, behind: Behind, port: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /stream HTTP/1.1\r\nHost: a\r\n\r\n")
        await asyncio.wait_for(behind.began.wait(), PATIENCE_S)
        await server.drain(0)
        assert (await reader.read()).endswith(b"3\r\none\r\n7\r\nstopped\r\n0\r\n\r\n")
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()

    run(use)


def test_a_value_that_came_from_elsewhere_begins_no_header():
    async def use(server: WireServer, _behind: Behind, port: int) -> None:
        async def handle(_request: Request) -> Response:
            return Response(headers={"x": "a\r\nset-cookie: b"})

        server.handle = handle
        answer = await said(port, b"GET / HTTP/1.0\r\n\r\n")
        assert b"x: a??set-cookie: b\r\n" in answer

    run(use)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=80), st.sampled_from([b"", HEAD.encode(), b"GET / HTTP/1.1\r\n"]))
def test_any_bytes_are_a_head_or_are_refused(data: bytes, before: bytes):
    data = before + data + b"\r\n\r\n"
    with contextlib.suppress(Refusal):
        end = find_head(data, SMALL)
        assert end >= 0
        head = parse_head(data[: end + 2], SMALL)
        assert head.path.startswith("/")


@settings(max_examples=300, deadline=None)
@given(st.lists(st.binary(min_size=1, max_size=9), max_size=9), st.integers(1, 7))
def test_chunks_are_read_however_they_are_cut(pieces: list[bytes], step: int):
    whole = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\nrest"
    reader, data, at = ChunkReader(SMALL), bytearray(), 0
    while not reader.feed(data):
        data += whole[at : at + step]
        at += step
    assert bytes(reader.body) == b"".join(pieces)
    assert bytes(data) + whole[at:] == b"rest"


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=60))
def test_any_bytes_are_chunks_or_are_refused(data: bytes):
    with contextlib.suppress(Refusal):
        ChunkReader(SMALL).feed(bytearray(data))


def test_who_may_not_ask_need_not_send_the_body():
    async def use(server: WireServer, behind: Behind, port: int) -> None:
        server.before_body = lambda request: Response(401, b"no") if request.path == "/x" else None
        answer = await said(port, HEAD.encode() + b"Expect: 100-continue\r\nContent-Length: 9\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 401 ")
        assert b"\r\nconnection: close\r\n" in answer
        assert behind.seen == []
        answer = await said(
            port, HEAD.replace("/x", "/y").encode() + b"Connection: close\r\nContent-Length: 2\r\n\r\n", b"ab"
        )
        assert answer.endswith(b"\r\n\r\nab")

    run(use)


def test_all_connections_together_hold_no_more_than_they_may():
    """Two bodies that are not complete fit, a third does not; when one has gone there is room again."""

    async def use(server: WireServer, behind: Behind, port: int) -> None:
        begun = HEAD.encode() + b"Connection: close\r\nContent-Length: 50\r\n\r\n" + b"x" * 40
        writers = []
        for count in (1, 2):
            writers.append((await asyncio.open_connection("127.0.0.1", port))[1])
            writers[-1].write(begun)
            await until(lambda count=count: server.held_bytes == 40 * count)  # type: ignore[misc]
        assert (await said(port, begun)).startswith(b"HTTP/1.1 503 ")
        assert behind.seen == []
        writers[0].close()
        await until(lambda: server.held_bytes == 40)
        assert (await said(port, begun, b"y" * 10)).endswith(b"x" * 40 + b"y" * 10)
        for each in writers:
            each.close()
            with contextlib.suppress(ConnectionError):
                await each.wait_closed()

    run(use, WireLimits(held_bytes=100))


def test_a_body_that_is_not_as_long_as_announced_cuts_the_connection():
    async def use(server: WireServer, _behind: Behind, port: int) -> None:
        async def pieces() -> AsyncGenerator[bytes, None]:
            yield b"ab"

        async def handle(_request: Request) -> Response:
            return Response(200, pieces(), length=3)

        server.handle = handle
        with contextlib.suppress(ConnectionError):
            assert (await said(port, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")).endswith(b"\r\n\r\nab")
        assert server.open_connections == 0

    run(use)
