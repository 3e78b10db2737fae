"""The short way gives what the general one gives, or leaves the request to it."""

from __future__ import annotations

import asyncio
import re
import socket
from ipaddress import ip_network

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from two_ways import OK, TwoWays, first_answer, headers_of, ids, run

from flowyard.gateway.settings import Limits, OverrideSettings, StickySettings

POST = b"POST /score?a=b HTTP/1.1\r\nHost: a\r\nX-User-Id: u\r\nContent-Length: 4\r\n\r\nbody"

_NAMES = (
    *("X-User-Id", "x-request-id", "traceparent", "Content-Type", "Accept", "Cookie", "Authorization", "api-key"),
    *("X-Forwarded-For", "x-forwarded-proto", "X-Forwarded-Host", "Forwarded", "X_Forwarded_For", "X-Real-IP"),
    *("Connection", "Keep-Alive", "TE", "Upgrade", "Expect", "Transfer-Encoding", "Content-Length", "Host", "Via"),
    *("x-flowyard-mirror", "x-variant", "x-variant-key", "tracestate", "X-Some", "bad name", "", "Trailer"),
)
_VALUES = (
    *("", "1", "a, b", "text/plain", " padded ", "\tx", "close", "keep-alive", "x-some", "chunked", "100-continue"),
    *("4", "04", "5", "+4", "4,4", "a=1; sid=2", "Bearer key", "key", "é", "x" * 181, "a\x00b", "a\nb", "a\rb"),
    *("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "tester", "203.0.113.9", "b"),
)
_FIELDS = st.tuples(st.sampled_from(_NAMES), st.sampled_from([": ", ":", ":  ", " : "]), st.sampled_from(_VALUES))
_LINES = (
    *("POST /score HTTP/1.1", "POST /score?q=1 HTTP/1.1", "GET /score HTTP/1.1", "PUT /x? HTTP/1.1"),
    *("GET /a#b HTTP/1.1", "HEAD /score HTTP/1.1", "GET http://a/b HTTP/1.1", "POST /x HTTP/1.0", "GET  /x HTTP/1.1"),
    *("DELETE //x HTTP/1.1", "POST x HTTP/1.1", "OPTIONS * HTTP/1.1", "GET /x HTTP/2.0", "GET /x"),
)


@st.composite
def _requests(draw: st.DrawFn) -> bytes:
    """Mostly whole ones, with something odd."""
    fields = [("Host", ": ", "a")] if draw(st.integers(0, 9)) else []
    line = draw(st.sampled_from(_LINES))
    body = b"body" if line.startswith(("POST", "PUT")) else b""
    if body and draw(st.integers(0, 9)):
        fields.append(("Content-Length", ": ", "4"))
    fields += draw(st.lists(_FIELDS, max_size=3))
    end = draw(st.sampled_from(["\r\n"] * 9 + ["\n"]))
    head = end.join([line, *(f"{name}{colon}{value}" for name, colon, value in draw(st.permutations(fields))), "", ""])
    return head.encode("latin-1") + body


async def _alike(ways: TwoWays, request: bytes, pieces: list[bytes] | None = None) -> bytes:
    """What both ways answer, and that it is the same; so is what the backend was asked."""
    answer, asked = await ways.say(ways.short, pieces or [request], warm=False)
    other, other_asked = await ways.say(ways.general, pieces or [request], warm=False)
    assert re.findall(rb"HTTP/1\.1 [0-9]{3}", answer) == re.findall(rb"HTTP/1\.1 [0-9]{3}", other)
    if answer or other:
        assert first_answer(answer) == first_answer(other)
    assert len(asked) == len(other_asked)
    for one, another in zip(asked, other_asked, strict=True):
        assert one.partition(b"\r\n")[0] == another.partition(b"\r\n")[0]
        assert ids(one) == ids(another)
        assert one.partition(b"\r\n\r\n")[2] == another.partition(b"\r\n\r\n")[2]
        for name in (b"x-request-id", b"traceparent"):
            if name in headers_of(request):
                assert len(headers_of(one)[name]) == len(headers_of(another)[name])
            else:
                assert len(headers_of(one)[name]) == 1
    return answer


@pytest.mark.parametrize("kind", ["usual", "trusted", "strict"])
def test_both_ways_do_the_same(kind: str):
    """One gateway of each kind for all examples: connections and what was remembered stay."""
    changes: dict[str, object] = {}
    if kind == "trusted":
        changes = {"trusted_proxies": (ip_network("127.0.0.0/8"),), "sticky": StickySettings(cookie="sid")}
    if kind == "strict":
        changes = {"key": "key", "override": OverrideSettings("x-variant", "key", frozenset({"tester"}))}

    async def use(ways: TwoWays) -> None:
        await ways.warm(ways.short)
        loop = asyncio.get_running_loop()

        @settings(max_examples=150, deadline=None, derandomize=True, database=None)
        @given(_requests())
        def compare(request: bytes) -> None:
            asyncio.run_coroutine_threadsafe(_alike(ways, request), loop).result(60)

        await asyncio.to_thread(compare)

    run(use, **changes)


def test_plain_requests_go_the_short_way_and_their_lines_pass():
    async def use(ways: TwoWays) -> None:
        await ways.warm(ways.short)
        ways.handled = 0
        request = (
            b"POST /score?a=b HTTP/1.1\r\nHOST: a\r\nX-User-Id: u\r\nx-request-id: mine\r\nX-Own: One, two\r\n"
            b"Connection: Keep-Alive\r\nX-Forwarded-For: 203.0.113.9\r\nX_Forwarded_For: 203.0.113.9\r\n"
            b"authorization: Bearer own\r\nContent-Length: 4\r\n\r\nbody"
        )
        answer, asked = await ways.say(ways.short, [request], warm=False)
        assert ways.handled == 1, "only the last, which ends the connection"
        assert answer.startswith(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n")
        assert b"\r\nx-flowyard-arm: a\r\n" in answer
        assert b"\r\nx-request-id: mine\r\n" in answer
        (sent,) = asked
        assert sent.startswith(b"POST /prefix/score?a=b HTTP/1.1\r\nX-User-Id: u\r\nX-Own: One, two\r\n")
        found = headers_of(sent)
        assert (found[b"x-forwarded-for"], found[b"x-forwarded-proto"]) == ([b"127.0.0.1"], [b"http"])
        assert (found[b"x-request-id"], found[b"authorization"]) == ([b"mine"], [b"Bearer own"])
        assert not {b"x_forwarded_for", b"connection"} & found.keys()
        assert sent.endswith(b"\r\n\r\nbody")

    run(use)


@pytest.mark.parametrize("trusted", ["10.0.0.0/8", "127.0.0.1"])
def test_only_trusted_proxies_say_where_a_request_came_from(trusted: str):
    async def use(ways: TwoWays) -> None:
        told = b"x-forwarded-for: 203.0.113.9\r\nx-forwarded-proto: https\r\nx-forwarded-host: shop\r\nx-real-ip: 1"
        for port in (ways.short, ways.general):
            _, (sent,) = await ways.say(port, [b"GET / HTTP/1.1\r\nhost: a\r\n" + told + b"\r\n\r\n"])
            found = headers_of(sent)
            is_trusted = trusted == "127.0.0.1"
            assert found[b"x-forwarded-for"] == ([b"203.0.113.9", b"127.0.0.1"] if is_trusted else [b"127.0.0.1"])
            assert found[b"x-forwarded-proto"] == [b"https" if is_trusted else b"http"]
            assert found[b"x-forwarded-host"] == [b"shop" if is_trusted else b"a"]
            assert (b"x-real-ip" in found) == is_trusted

    run(use, trusted_proxies=(ip_network(trusted),))


def test_a_request_split_at_every_byte_and_several_at_once():
    async def use(ways: TwoWays) -> None:
        for at in range(1, len(POST), 3):
            assert (await _alike(ways, POST, [POST[:at], POST[at:]])).count(b"HTTP/1.1 200") == 2
        assert (await _alike(ways, POST, [POST * 3])).count(b"HTTP/1.1 200") == 4
        assert (await _alike(ways, POST, [POST + POST[:50], POST[50:] + POST])).count(b"HTTP/1.1 200") == 4

    run(use)


_ANSWERS = (
    OK,
    b"HTTP/1.1 201 Created\r\ncontent-length: 0\r\n\r\n",
    b"HTTP/1.1 201 Created\r\ncontent-length: 0\r\nx-own: some\r\n\r\n",
    b"HTTP/1.1 204 No Content\r\n\r\n",
    b"HTTP/1.1 304 Not Modified\r\ncontent-length: 9\r\n\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\n" + OK,
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    b"HTTP/1.1 503 Busy\r\nSet-Cookie: a=1\r\nset-cookie: b=2\r\nKeep-Alive: 5\r\nContent-Length: 1\r\n\r\nx",
    b"HTTP/1.1 200 OK\r\nset-cookie: a=1\r\nx-flowyard-arm: lie\r\nx-request-id: lie\r\ncontent-length: 2\r\n\r\nok",
    b"HTTP/1.1 200 OK\r\nConnection: close\r\ncontent-length: 2\r\n\r\nok",
    b"HTTP/1.1 200 \xe9\r\nx-own: \xe9\r\ncontent-length: 2\r\n\r\nok",
)


@pytest.mark.parametrize("answer", _ANSWERS)
def test_an_answer_split_anywhere_is_the_same(answer: bytes):
    async def use(ways: TwoWays) -> None:
        ways.backend.pieces = [answer]
        whole = first_answer(await _alike(ways, POST))
        for at in range(1, len(answer), 1 if b"length: 0" in answer else 5):
            ways.backend.pieces = [answer[:at], answer[at:]]
            assert first_answer(await _alike(ways, POST)) == whole

    run(use)


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nx: a\n b\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n folded\r\n\r\nok",
        b"HTTP/1.1 101 Switching\r\n\r\n",
        b"SSH-2.0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"x: " + b"y" * 70_000 + b"\r\n\r\n",
    ],
)
def test_an_answer_that_is_none_is_not_passed_on(answer: bytes):
    async def use(ways: TwoWays) -> None:
        ways.backend.pieces = [answer, b""]
        for port in (ways.short, ways.general):
            said, asked = await ways.say(port, [POST])
            assert not said.startswith(b"HTTP/1.1 200") or said.count(b"\r\n\r\nok") == 1
            assert len(asked) == 1, "what may have begun is not sent again"

    run(use)


def test_what_comes_behind_an_answer_is_nobodys():
    async def use(ways: TwoWays) -> None:
        ways.backend.pieces = [OK + OK.replace(b"ok", b"no")]
        answer = await _alike(ways, POST)
        assert answer.count(b"HTTP/1.1 200") == 2
        assert first_answer(answer)[2] == b"ok"

    run(use)


def test_a_backend_that_goes_away_midway_is_502_and_asked_once():
    async def use(ways: TwoWays) -> None:
        for pieces in ([b""], [OK[:20], b""], [OK[:-1], b""]):
            ways.backend.pieces = pieces
            for port in (ways.short, ways.general):
                said, asked = await ways.say(port, [POST])
                assert said.startswith(b"HTTP/1.1 502") or b"content-length: 2\r\n" in said.lower()
                assert not said.endswith(b"ok")
                assert len(asked) == 1

    run(use)


def test_a_caller_who_leaves_is_left_and_one_who_waits_too_long_is_told():
    async def use(ways: TwoWays) -> None:
        await ways.warm(ways.short)
        ways.backend.held, ways.handled = asyncio.Event(), 0
        ways.backend.came.clear()
        ways.backend.left.clear()
        _, writer = await asyncio.open_connection("127.0.0.1", ways.short)
        writer.write(POST)
        async with asyncio.timeout(60):
            await ways.backend.came.wait()
            writer.close()
            await ways.backend.left.wait()
        assert ways.handled == 0
        said, asked = await ways.say(ways.short, [POST])
        assert said.startswith(b"HTTP/1.1 504")
        assert len(asked) == 1

    run(use, limits=Limits(answer_s=0.3, grace_s=1))


@pytest.mark.parametrize("is_short", [True, False])
def test_a_caller_who_leaves_as_the_answer_begins_takes_nothing_along(is_short: bool):
    """Both are seen in one turn of the loop: what the request held is given back (``two_ways`` looks at that)."""

    async def use(ways: TwoWays) -> None:
        port = ways.short if is_short else ways.general
        await ways.warm(port)
        ways.backend.held = asyncio.Event()
        ways.backend.came.clear()
        ways.backend.left.clear()
        with socket.create_connection(("127.0.0.1", port)) as caller:
            caller.sendall(POST)
            async with asyncio.timeout(60):
                await ways.backend.came.wait()
            assert ways.backend.writer is not None
            ways.backend.writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n")
        async with asyncio.timeout(60):
            await ways.backend.left.wait()

    run(use)


def test_a_head_that_is_too_large_is_refused():
    async def use(ways: TwoWays) -> None:
        head = b"GET / HTTP/1.1\r\nhost: a\r\nx: " + b"y" * 17_000 + b"\r\n\r\n"
        assert (await _alike(ways, head)).startswith(b"HTTP/1.1 431")
        many = b"GET / HTTP/1.1\r\nhost: a\r\n" + b"x: y\r\n" * 100 + b"\r\n"
        assert (await _alike(ways, many)).startswith(b"HTTP/1.1 431")
        large = b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 11\r\n\r\n" + b"x" * 11
        assert (await _alike(ways, large)).startswith(b"HTTP/1.1 413")

    run(use, limits=Limits(body_bytes=10, grace_s=1))
