"""Asking servers over connections that are kept: what a switch or a gateway hands on."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

from flowyard.wire.client.failures import Unanswered
from flowyard.wire.client.upstream import Upstream
from flowyard.wire.message import Request, Response
from flowyard.wire.reading.answer_head import AnswerHead
from flowyard.wire.written import NOT_BEGUN

__all__ = ["OF_ONE_CONNECTION", "Place", "WireClient", "end_to_end", "is_repeatable", "response_of"]

OF_ONE_CONNECTION = frozenset(
    {
        *("connection", "keep-alive", "proxy-connection", "proxy-authenticate", "proxy-authorization", "te", "trailer"),
        *("transfer-encoding", "upgrade", "expect", "content-length"),
    }
)
_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})
_REPEATABLE = frozenset({"GET", "HEAD", "OPTIONS"})


class Place(NamedTuple):
    """Where a server is; ``is_tls`` ones show a certificate that the system trusts for that host."""

    host: str
    port: int
    is_tls: bool = False


@dataclass(slots=True)
class WireClient:
    """Connections to servers by address; a free one is used for ``idle_s`` seconds after its last answer at most.

    ``connect_s`` is how long a new one may take, ``answer_s`` how long an answer may take to begin, None for ever.
    """

    connect_s: float = 5.0
    answer_s: float | None = None
    idle_s: float = 30.0
    tls: ssl.SSLContext | None = None
    """What certificates are checked with; the system's when None."""
    _free: dict[Place, deque[Upstream]] = field(default_factory=dict)
    _sweeping: asyncio.TimerHandle | None = None

    async def forward(self, place: Place, request: Request) -> Response:
        """Hand a request on; the answer's body is complete when it is small and here, else it comes in pieces.

        Raises Unanswered and BadAnswer; the pieces raise BrokenOff. Nothing is sent twice that may have been begun.
        """
        return await self.send(place, request.method, _request_bytes(request, place))

    async def send(self, place: Place, method: str, data: bytes) -> Response:
        """The same for a request that is written out already."""
        upstream, head = await self._asked(place, method, data)
        return response_of(upstream, head)

    def free_connection(self, place: Place) -> Upstream | None:
        """One that is kept and free, for whoever does not want to wait for the answer in a task."""
        free = self._free.get(place)
        while free:
            upstream = free.pop()
            if upstream.is_free():
                return upstream
            upstream.abort()
        return None

    def give_back(self, place: Place, upstream: Upstream) -> None:
        """Keep it: nothing was asked after all, or all was answered."""
        upstream.idle_since = time.monotonic()
        free = self._free.get(place)
        if free is None:
            free = self._free[place] = deque()
        free.append(upstream)
        if self._sweeping is None:
            self._sweeping = asyncio.get_running_loop().call_later(self.idle_s, self._sweep)

    async def close(self) -> None:
        """Close what is free."""
        if self._sweeping is not None:
            self._sweeping.cancel()
        for each in [each for free in self._free.values() for each in free]:
            each.abort()
        self._free.clear()
        await asyncio.sleep(0)  # so that the connections have ended when this returns

    async def _asked(self, place: Place, method: str, data: bytes) -> tuple[Upstream, AnswerHead]:
        while True:
            upstream, is_used = await self._connection(place)
            try:
                async with asyncio.timeout(self.answer_s):
                    head = await upstream.ask(data, to_head=method == "HEAD")
            except Unanswered as error:
                # A kept connection may have been closed just now. What changes nothing may be asked again.
                if is_used and (error.is_untouched or method in _REPEATABLE):
                    continue
                raise
            except TimeoutError:
                raise Unanswered(f"Nothing was answered within {self.answer_s:g} s.", is_late=True) from None
            if NOT_BEGUN in head.headers:
                upstream.abort()
                if is_used:
                    continue
                raise Unanswered("The server is ending.", is_untouched=True)
            return upstream, head

    async def _connection(self, place: Place) -> tuple[Upstream, bool]:
        """A connection, and whether it was used before. Raises Unanswered."""
        while (kept := self.free_connection(place)) is not None:
            if kept.is_usable:
                return kept, True
            kept.abort()
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self.connect_s):
                made = await loop.create_connection(
                    lambda: Upstream(partial(self.give_back, place)),
                    place.host,
                    place.port,
                    ssl=self._tls() if place.is_tls else None,
                )
        except (OSError, TimeoutError) as error:  # what is wrong with a certificate is an OSError, too
            raise Unanswered(f"No connection: {error or type(error).__name__}.", is_untouched=True) from None
        return made[1], False

    def _tls(self) -> ssl.SSLContext:
        if self.tls is None:
            self.tls = ssl.create_default_context()
        return self.tls

    def _sweep(self) -> None:
        """Close what was not needed for a while."""
        loop = asyncio.get_running_loop()
        oldest = time.monotonic() - self.idle_s
        for place, free in list(self._free.items()):
            while free and (free[0].idle_since < oldest or not free[0].is_usable):
                free.popleft().abort()
            if not free:
                del self._free[place]
        self._sweeping = loop.call_later(self.idle_s, self._sweep) if self._free else None


def is_repeatable(method: str) -> bool:
    """Whether a request may be sent again on a new connection when a kept one was closed meanwhile."""
    return method in _REPEATABLE


def end_to_end(headers: Mapping[str, str], hidden: frozenset[str] = OF_ONE_CONNECTION) -> dict[str, str]:
    """Headers without those that are between the two ends of one connection; ``hidden`` are these, and perhaps more."""
    if "connection" in headers:
        hidden |= {each.strip().lower() for each in headers["connection"].split(",")}
    return {name: value for name, value in headers.items() if name not in hidden}


def _request_bytes(request: Request, place: Place) -> bytes:
    query = f"?{request.query_text}" if request.query_text else ""
    headers = {"host": f"{place.host}:{place.port}", **end_to_end(request.headers)}
    if request.body or request.method in _WITH_BODY:
        headers["content-length"] = str(len(request.body))
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"{request.method} {request.path}{query} HTTP/1.1\r\n{lines}\r\n".encode("latin-1") + request.body


def response_of(upstream: Upstream, head: AnswerHead) -> Response:
    """The answer whose head is here; its body in pieces when that is not."""
    headers = end_to_end(head.headers)
    response = Response(head.status, b"", headers.pop("content-type", ""), headers, cookies=head.cookies)
    whole = upstream.whole()
    if whole is None:
        response.body, response.length = upstream.pieces(), head.length
    elif head.body == "none":
        response.length = head.length
    else:
        response.body = whole
    return response
