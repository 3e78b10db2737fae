"""The short way of most requests: plain ones, over a connection that is kept, with an answer that comes whole.

Lines of heads pass as they came, and no task is begun. Whatever is not like that goes on in ``DataPlane.handle``, which
does all there is to do; a request may leave the short way at any point until its answer has begun.
"""

from __future__ import annotations

import time
from typing import Protocol

from flowyard.gateway.access import has_key
from flowyard.gateway.arm import ARM_HEADER, Arm
from flowyard.gateway.asked import Asked, asked_by
from flowyard.gateway.mirror import Mirror
from flowyard.gateway.outgoing import Outgoing
from flowyard.gateway.plain_requests import COOKIES, REQUEST_ID, TRACE, UNIT, PlainRequests, keys_of
from flowyard.gateway.settings import GatewaySettings
from flowyard.wire import (
    HEAD_END,
    OF_ONE_CONNECTION,
    AnswerLines,
    Connection,
    Outbox,
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

    under_way: int

    def own_arm(self, asked: Asked) -> Arm:
        """The arm of a request's unit, at this moment."""

    def has_room(self) -> bool:
        """Whether another request may be under way."""

    def enter(self, arm: Arm, now: float) -> int:
        """Note that a request begins; its ticket, 0 when the arm takes none."""

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
        self._answer_s = settings.limits.answer_s
        self.answers = AnswerLines(OF_ONE_CONNECTION - {"content-length"} | {"x-request-id", ARM_HEADER}, _UNPLAIN)
        self._own_outbox = Outbox()
        self._key = settings.key
        self._sticky = settings.sticky
        self._requests = PlainRequests(settings, outgoing.forwarded)
        self._client = client
        self._outgoing = outgoing
        self._mirror = mirror

    def begin(self, head: bytes, body: bytes, connection: Connection) -> Exchange | None:
        """Send a request on at once, if it is plain and its backend can take it now; None leaves it to others."""
        desk, outgoing, peer = self.desk, self._outgoing, connection.peer
        plain = self._requests.read(head, len(body), peer)
        if plain is None or not desk.has_room():
            return None
        get = plain[3].get
        if self._key is not None and not has_key(keys_of(plain[3]), self._key):
            return None
        now = time.monotonic()
        known = connection.known
        if isinstance(known, Asked):  # drawn again, a request would go more often where there is a free connection
            asked = known
        else:
            asked = asked_by(get(REQUEST_ID, ""), get(TRACE, ""), get(UNIT, ""), get(COOKIES, ""), self._sticky, now)
            connection.known = asked
        if asked.session:
            return None
        arm = desk.own_arm(asked)
        upstream = self._client.free_connection(arm.backend.place)
        if upstream is None:
            return None
        ticket = desk.enter(arm, now)
        if not ticket:
            self._client.give_back(arm.backend.place, upstream)
            return None
        data = outgoing.plain_data(plain, body, peer, asked, arm.backend)
        exchange = Exchange(self, connection, upstream, asked, arm, ticket)
        upstream.ask_now(data, exchange, self.outbox())
        connection.deadline = now + self._answer_s
        if self._mirror is not None:
            self._mirror.offer(connection.request, asked, arm.name)
        return exchange

    def outbox(self) -> Outbox | None:
        """Where writes wait for others; None while there are none, so that nobody waits for nothing."""
        return self._own_outbox if self.desk.under_way > 1 else None


class Exchange:
    """One request that was sent to a backend."""

    __slots__ = ("_arm", "_asked", "_connection", "_ticket", "_upstream", "_way")

    def __init__(
        self, way: ShortWay, connection: Connection, upstream: Upstream, asked: Asked, arm: Arm, ticket: int
    ) -> None:
        self._way = way
        self._connection = connection
        self._upstream = upstream
        self._asked = asked
        self._arm = arm
        self._ticket = ticket

    def cancel(self) -> None:
        """The caller has left."""
        self._upstream.forget()
        self._way.desk.left(self._asked, self._arm, self._ticket, is_over=True)
        self._connection.cut()

    def late(self) -> None:
        """Nothing was answered in time."""
        error = Unanswered("Nothing was answered in time.", is_late=True)
        self._upstream.forget()
        self._connection.answer(self._way.desk.broken(error, self._asked, self._arm, self._ticket))

    def takes(self, data: bytes) -> bool:
        """Pass an answer on that is plain and here as a whole."""
        way, connection, asked = self._way, self._connection, self._asked
        head, end, body = data.partition(HEAD_END)
        answer = way.answers.read(head) if end else None
        if answer is None or answer.length != len(body) or not connection.keeps():
            return False
        outbox = way.outbox()  # before this one has ended
        way.desk.ended(answer.status, asked, self._arm, self._ticket)
        name = asked.request_id.encode("ascii")
        connection.pass_on(b"".join((answer.lines, b"\r\nx-request-id: ", name, self._arm.line, body)), outbox)
        return True

    def told(self) -> None:
        """The answer has begun, but is not like that; or none comes."""
        desk, upstream, head, failure = self._way.desk, self._upstream, self._upstream.answered, self._upstream.failure
        if head is None or NOT_BEGUN in head.headers:
            upstream.abort()
            if head is not None or self._may_ask_again(failure):
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

    def _may_ask_again(self, failure: Exception | None) -> bool:
        if not isinstance(failure, Unanswered):
            return False
        return failure.is_untouched or is_repeatable(self._connection.request.method)


async def _given(response: Response) -> Response:
    return response
