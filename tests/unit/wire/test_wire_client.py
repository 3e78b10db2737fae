"""The client on real sockets: answers are read strictly, connections are kept, and nothing that began is sent twice."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowyard._util.event_loop import loop_factory
from flowyard.wire import BadAnswer, BrokenOff, Place, Request, Response, Unanswered, WireClient, WireServer
from flowyard.wire.reading.answer_head import parse_answer_head
from flowyard.wire.written import GOODBYE

PATIENCE_S = 60
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
GET = Request("GET", "/x", "a=b", {"host": "a", "connection": "keep-alive, x-hop", "x-hop": "1", "x-end": "2"})
POST = Request("POST", "/x", "", {"host": "a"}, b"body")

Script = Callable[[int, int, bytes], bytes | None]
"""What is said to a request, by the number of its connection and of the request on it; None closes unanswered."""


class Scripted:
    """A server that says to each request what the script gives, and notes what it was asked."""

    def __init__(self, script: Script) -> None:
        self.asked: list[bytes] = []
        self.began, self.closed = asyncio.Event(), asyncio.Event()
        self.tasks: set[asyncio.Task[None] | None] = set()
        self._script = script
        self._connections = 0

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        number, self._connections = self._connections, self._connections + 1
        self.tasks.add(asyncio.current_task())
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            for count in range(100):
                head = await reader.readuntil(b"\r\n\r\n")
                length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
                self.asked.append(head + await reader.readexactly(int(length or 0)))
                self.began.set()
                said = self._script(number, count, self.asked[-1])
                if said is None:
                    break
                writer.write(said)
                await writer.drain()
                if b"connection: close" in said.lower() or b"\r\n\r\n...until closed" in said:
                    break
        self.closed.set()
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


def run(script: Script, use: Callable[[WireClient, Place, Scripted], Awaitable[None]]) -> None:
    async def main() -> None:
        behind, client = Scripted(script), WireClient()
        server = await asyncio.start_server(behind, "127.0.0.1", 0)
        try:
            async with asyncio.timeout(PATIENCE_S):
                await use(client, Place(*server.sockets[0].getsockname()[:2]), behind)
        finally:
            await client.close()
            await asyncio.gather(*filter(None, behind.tasks))
            server.close()
            await server.wait_closed()

    asyncio.run(main())


async def body_of(response: Response) -> bytes:
    if isinstance(response.body, bytes):
        return response.body
    return b"".join([piece async for piece in response.body])


BAD = {
    "no answer": b"hello\r\n\r\n",
    "another version": b"HTTP/2.0 200 OK\r\n\r\n",
    "length and chunks": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nokk",
    "a signed length": b"HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\nok",
    "another coding": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "a folded header": b"HTTP/1.1 200 OK\r\nA: b\r\n c\r\nContent-Length: 2\r\n\r\nok",
    "a bare line feed": b"HTTP/1.1 200 OK\r\nA: b\nContent-Length: 2\r\n\r\nok",
    "an upgrade": b"HTTP/1.1 101 Switching\r\n\r\n",
    "a head without end": b"HTTP/1.1 200 OK\r\nA: " + b"b" * 70_000,
}


@pytest.mark.parametrize("name", BAD)
def test_an_answer_that_can_be_read_in_two_ways_is_none(name: str):
    async def use(client: WireClient, place: Place, behind: Scripted) -> None:
        with pytest.raises(BadAnswer):
            await client.forward(place, POST)
        assert len(behind.asked) == 1

    run(lambda *_: BAD[name], use)


GOOD = {
    "a length": (OK, b"ok"),
    "no body": (b"HTTP/1.1 204 No Content\r\n\r\n", b""),
    "chunks": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\no\r\n1\r\nk\r\n0\r\n\r\n", b"ok"),
    "until closed": (b"HTTP/1.1 200 OK\r\n\r\n...until closed", b"...until closed"),
    "a word before": (b"HTTP/1.1 100 Continue\r\n\r\n" + OK, b"ok"),
    "no reason": (b"HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", b""),
}


@pytest.mark.parametrize("name", GOOD)
def test_bodies_of_all_forms_are_read_to_their_end(name: str):
    said, wanted = GOOD[name]

    async def use(client: WireClient, place: Place, behind: Scripted) -> None:
        for _ in range(2):
            assert await body_of(await client.forward(place, GET)) == wanted
        assert len(behind.asked) == 2

    run(lambda *_: said, use)


def test_what_belongs_to_one_connection_stays_there():
    said = b"HTTP/1.1 200 OK\r\nConnection: x-a\r\nX-A: 1\r\nX-B: 2\r\nSet-Cookie: a\r\nSet-Cookie: b\r\n"
    said += b"Content-Length: 0\r\n\r\n"

    async def use(client: WireClient, place: Place, behind: Scripted) -> None:
        response = await client.forward(place, GET)
        assert (response.headers, response.cookies) == ({"x-b": "2"}, ("a", "b"))
        assert behind.asked == [b"GET /x?a=b HTTP/1.1\r\nhost: a\r\nx-end: 2\r\n\r\n"]

    run(lambda *_: said, use)


def test_an_answer_to_head_has_a_length_and_no_body():
    async def use(client: WireClient, place: Place, _behind: Scripted) -> None:
        response = await client.forward(place, Request("HEAD", "/x", "", {"host": "a"}))
        assert (response.body, response.length) == (b"", 7)

    run(lambda *_: b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n", use)


def test_connections_are_kept_and_one_with_a_surplus_is_not():
    numbers: list[int] = []

    def script(number: int, count: int, _asked: bytes) -> bytes:
        numbers.append(number)
        return OK + b"surplus" if count == 2 else OK

    async def use(client: WireClient, place: Place, behind: Scripted) -> None:
        for _ in range(2):
            assert await body_of(await client.forward(place, POST)) == b"ok"
        assert numbers == [0, 0]
        assert await body_of(await client.forward(place, POST)) == b"ok"
        await behind.closed.wait()
        assert await body_of(await client.forward(place, POST)) == b"ok"
        assert numbers == [0, 0, 0, 1]

    run(script, use)


@pytest.mark.parametrize(("request_", "times"), [(GET, 3), (POST, 2)])
def test_a_request_that_may_have_begun_is_sent_again_only_if_it_changes_nothing(request_: Request, times: int):
    """The server closes the kept connection when the second request is there, without a word."""

    def script(number: int, count: int, _asked: bytes) -> bytes | None:
        return None if (number, count) == (0, 1) else OK

    async def use(client: WireClient, place: Place, behind: Scripted) -> None:
        await client.forward(place, request_)
        if request_ is GET:
            assert await body_of(await client.forward(place, request_)) == b"ok"
        else:
            with pytest.raises(Unanswered) as failed:
                await client.forward(place, request_)
            assert not failed.value.is_untouched
        assert len(behind.asked) == times

    run(script, use)


def test_a_request_that_the_server_did_not_begin_goes_elsewhere():
    def script(number: int, count: int, _asked: bytes) -> bytes:
        return GOODBYE if (number, count) == (0, 1) else OK

    async def use(client: WireClient, place: Place, behind: Scripted) -> None:
        for _ in range(2):
            assert await body_of(await client.forward(place, POST)) == b"ok"
        assert len(behind.asked) == 3

    run(script, use)


def test_who_does_not_listen_has_begun_nothing():
    async def use(client: WireClient, _place: Place, _behind: Scripted) -> None:
        closed = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
        place = Place(*closed.sockets[0].getsockname()[:2])
        closed.close()
        await closed.wait_closed()
        with pytest.raises(Unanswered) as failed:
            await client.forward(place, POST)
        assert failed.value.is_untouched

    run(lambda *_: OK, use)


@pytest.mark.parametrize(
    "said",
    [
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 9\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n",
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n2;a=b\r\nok\r\n0\r\n\r\n",
    ],
)
def test_an_answer_that_breaks_off_is_no_whole_one(said: bytes):
    async def use(client: WireClient, place: Place, _behind: Scripted) -> None:
        with pytest.raises((BrokenOff, BadAnswer)):
            await body_of(await client.forward(place, POST))

    run(lambda *_: said, use)


def test_who_does_not_wait_any_longer_closes_the_connection():
    async def use(client: WireClient, place: Place, behind: Scripted) -> None:
        response = await client.forward(place, POST)
        assert not isinstance(response.body, bytes)
        async for piece in response.body:
            assert piece == b"ok"
            break
        await response.body.aclose()
        await behind.closed.wait()

    run(lambda *_: b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok", use)


def test_a_wait_that_is_cancelled_closes_the_connection():
    async def use(client: WireClient, place: Place, behind: Scripted) -> None:
        asking = asyncio.ensure_future(client.forward(place, POST))
        await behind.began.wait()
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        await behind.closed.wait()

    run(lambda *_: b"", use)


def test_an_answer_that_does_not_begin_is_given_up():
    async def use(client: WireClient, place: Place, behind: Scripted) -> None:
        client.answer_s = 0.01
        with pytest.raises(Unanswered) as failed:
            await client.forward(place, POST)
        assert not failed.value.is_untouched
        await behind.closed.wait()

    run(lambda *_: b"", use)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.tuples(st.sampled_from([0, 1, 70_000, 300_000, 400_000]), st.booleans()), min_size=1, max_size=6))
def test_bodies_pass_through_two_servers_unchanged(bodies: list[tuple[int, bool]]):
    """A server of ours hands on to another: whole bodies, and bodies in pieces, one after the other."""

    async def pieces(body: bytes):
        for at in range(0, len(body), 70_000):
            yield body[at : at + 70_000]

    async def answer(request: Request) -> Response:
        return Response(200, pieces(request.body) if request.path == "/pieces" else request.body)

    async def main() -> None:
        inner = WireServer(answer, lambda refusal: Response(refusal.status))
        client, outside = WireClient(), WireClient()
        place = Place(*await inner.listen("127.0.0.1", 0))
        outer = WireServer(lambda request: client.forward(place, request), lambda refusal: Response(refusal.status))
        front = Place(*await outer.listen("127.0.0.1", 0))
        for size, in_pieces in bodies:
            sent = bytes(each % 251 for each in range(size))
            path = "/pieces" if in_pieces else "/whole"
            response = await outside.forward(front, Request("POST", path, "", {}, sent))
            assert await body_of(response) == sent
        assert (inner.open_connections, outer.open_connections) == (1, 1)
        await outside.close()
        await outer.drain(0)
        await client.close()
        await inner.drain(0)

    for factory in {loop_factory(), None}:
        with asyncio.Runner(loop_factory=factory) as runner:
            runner.run(main())


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=80), st.sampled_from([b"", b"HTTP/1.1 200 OK\r\n"]), st.booleans())
def test_any_bytes_are_an_answer_or_are_refused(data: bytes, before: bytes, to_head: bool):
    with contextlib.suppress(BadAnswer):
        assert 100 <= parse_answer_head(before + data + b"\r\n", to_head=to_head).status < 600
