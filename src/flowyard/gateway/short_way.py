"""The short way of most requests: plain ones, over a connection that is kept, with an answer that comes whole.

Lines of heads pass as they came, and no task is begun. Whatever is not like that goes on in ``DataPlane.handle``, which
does all there is to do; a request may leave the short way at any point until its answer has begun.
"""

from __future__ import annotations

import asyncio
import time
from typing import Protocol

from flowyard.gateway.access import has_key
from flowyard.gateway.arm import ARM_HEADER, Arm
from flowyard.gateway.asked import Asked, find_unit, named
from flowyard.gateway.mirror import Mirror
from flowyard.gateway.outgoing import Outgoing
from flowyard.gateway.plain_requests import PlainRequest, PlainRequests
from flowyard.gateway.settings import GatewaySettings
from flowyard.wire import (
    OF_ONE_CONNECTION,
    AnswerLines,
    Connection,
    Request,
    Response,
    Unanswered,
    Upstream,
    WireClient,
    is_repeatable,
    response_of,
)
from flowyard.wire.written import NOT_BEGUN

__all__ = ["ShortDesk", "ShortWay"]

_UNPLAIN = frozenset({"transfer-encoding", "expect", "upgrade", "host", "authorization", "api-key", NOT_BEGUN})


class ShortDesk(Protocol):
    """What the short way needs of the data plane, so that both choose and count alike."""

    def own_arm(self, asked: Asked) -> Arm:
        """The arm of a request's unit, at this moment."""

    def has_room(self) -> bool:
        """Whether another request may be under way."""

    def enter(self, arm: Arm, now: float) -> int:
        """Note that a request begins; its ticket."""

    def ended(self, status: int, asked: Asked, arm: Arm, ticket: int) -> None:
        """Note an answer that came whole."""

    def answered(self, response: Response, asked: Asked, arm: Arm, ticket: int) -> Response:
        """Note an answer whose head is here; gives it as callers get it."""

    def broken(self, error: Exception, asked: Asked, arm: Arm, ticket: int) -> Response:
        """Note a request to which no answer came; gives what callers get."""

    def left(self, asked: Asked, arm: Arm, ticket: int, *, is_over: bool) -> None:
        """Note that the caller left, or, when it is not over, that the request has to be sent again."""

    async def again(self, request: Request, asked: Asked) -> Response:
        """Answer a request that no backend has begun."""


class ShortWay:
    """Begins what can go there."""

    def __init__(
        self, settings: GatewaySettings, desk: ShortDesk, client: WireClient, outgoing: Outgoing, mirror: Mirror | None
    ) -> None:
        self.desk = desk
        self.deadlines = Deadlines(settings.limits.answer_s)
        self.answers = AnswerLines(OF_ONE_CONNECTION - {"content-length"} | {"x-request-id", ARM_HEADER}, _UNPLAIN)
        self._key = settings.key
        self._sticky = settings.sticky
        self._requests = PlainRequests(settings)
        self._client = client
        self._outgoing = outgoing
        self._mirror = mirror

    def begin(self, head: bytes, body: bytes, connection: Connection) -> Exchange | None:
        """Send a request on at once, if it is plain and its backend can take it now; None leaves it to others."""
        peer = connection.peer
        plain = self._requests.read(head, len(body), is_trusted=self._outgoing.forwarded.is_trusted(peer))
        if plain is None or not self.desk.has_room():
            return None
        if self._key is not None and not has_key(plain.keys, self._key):
            return None
        now = time.monotonic()
        asked = self._asked(plain, now)
        if asked.session:
            return None
        arm = self.desk.own_arm(asked)
        if not arm.is_available(now) or (upstream := self._client.free_connection(arm.backend.place)) is None:
            return None
        exchange = Exchange(self, connection, upstream, asked, arm, self.desk.enter(arm, now))
        exchange.send(plain.method, self._outgoing.plain_data(plain, body, peer, asked, arm.backend))
        if self._mirror is not None:
            self._mirror.offer(connection.read_request(head, body), asked, arm.name)
        return exchange

    def close(self) -> None:
        self.deadlines.close()

    def _asked(self, plain: PlainRequest, now: float) -> Asked:
        asked = named(plain.request_id, plain.trace, now)
        find_unit(asked, self._sticky, plain.unit, plain.cookies)
        return asked


class Exchange:
    """One request that was sent to a backend."""

    __slots__ = ("_arm", "_asked", "_connection", "_is_repeatable", "_ticket", "_upstream", "_way")

    def __init__(
        self, way: ShortWay, connection: Connection, upstream: Upstream, asked: Asked, arm: Arm, ticket: int
    ) -> None:
        self._way = way
        self._connection = connection
        self._upstream = upstream
        self._asked = asked
        self._arm = arm
        self._ticket = ticket

    @property
    def began(self) -> float:
        return self._asked.began

    def send(self, method: bytes, data: bytes) -> None:
        self._is_repeatable = is_repeatable(method.decode("ascii"))
        self._way.deadlines.add(self)
        self._upstream.ask_now(data, self._takes, self._told)

    def cancel(self) -> None:
        """The caller has left."""
        self._way.deadlines.discard(self)
        self._upstream.forget()
        self._way.desk.left(self._asked, self._arm, self._ticket, is_over=True)
        self._connection.cut()

    def late(self, error: Unanswered) -> None:
        """Nothing was answered in time."""
        self._way.deadlines.discard(self)
        self._upstream.forget()
        self._connection.answer(self._way.desk.broken(error, self._asked, self._arm, self._ticket))

    def _takes(self, data: bytes) -> bool:
        """Pass an answer on that is plain and here as a whole."""
        found = self._way.answers.read(data)
        if found is None or not self._connection.keeps:
            return False
        status, lines, body = found
        self._way.deadlines.discard(self)
        self._way.desk.ended(status, self._asked, self._arm, self._ticket)
        lines += (b"x-request-id: " + self._asked.request_id.encode("ascii"), self._arm.line, b"", body)
        self._connection.pass_on(b"\r\n".join(lines))
        return True

    def _told(self) -> None:
        """The answer has begun, but is not like that; or none comes."""
        self._way.deadlines.discard(self)
        desk, upstream, head, failure = self._way.desk, self._upstream, self._upstream.answered, self._upstream.failure
        if head is None or NOT_BEGUN in head.headers:
            upstream.abort()
            if head is not None or (isinstance(failure, Unanswered) and self._is_repeatable):
                desk.left(self._asked, self._arm, self._ticket, is_over=False)
                self._connection.go_on(desk.again(self._connection.request, self._asked))
            else:
                error = failure or Unanswered("Nothing was answered.")
                self._connection.answer(desk.broken(error, self._asked, self._arm, self._ticket))
            return
        response = desk.answered(response_of(upstream, head), self._asked, self._arm, self._ticket)
        if isinstance(response.body, bytes):
            self._connection.answer(response)
        else:
            self._connection.go_on(_given(response))


async def _given(response: Response) -> Response:
    return response


class Deadlines:
    """Ends those that wait too long for the beginning of an answer; all have the same time, so the oldest is first."""

    def __init__(self, answer_s: float) -> None:
        self._answer_s = answer_s
        self._waiting: dict[Exchange, None] = {}
        self._timer: asyncio.TimerHandle | None = None

    def add(self, exchange: Exchange) -> None:
        self._waiting[exchange] = None
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._answer_s, self._look)

    def discard(self, exchange: Exchange) -> None:
        self._waiting.pop(exchange, None)

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _look(self) -> None:
        self._timer = None
        for exchange in list(self._waiting):
            left = exchange.began + self._answer_s - time.monotonic()
            if left > 0:
                self._timer = asyncio.get_running_loop().call_later(left, self._look)
                return
            exchange.late(Unanswered(f"Nothing was answered within {self._answer_s:g} s.", is_late=True))
