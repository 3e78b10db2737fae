"""The short way of most requests: no task, over a connection that is kept, with an answer that comes whole.

Whatever is not like that goes on in a task, where ``DataPlane.handle`` does all there is to do.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from flowyard.gateway.arm import Arm
from flowyard.gateway.asked import Asked
from flowyard.wire import (
    Connection,
    Request,
    Response,
    Unanswered,
    Upstream,
    is_repeatable,
    response_of,
)
from flowyard.wire.written import NOT_BEGUN

__all__ = ["Deadlines", "Direct", "DirectDesk"]


class DirectDesk(Protocol):
    """What a direct request needs of the data plane."""

    def answered(self, response: Response, asked: Asked, arm: Arm, ticket: int) -> Response:
        """Note an answer whose head is here; gives it as callers get it."""

    def broken(self, error: Exception, asked: Asked, arm: Arm, ticket: int) -> Response:
        """Note a request to which no answer came; gives what callers get."""

    def left(self, asked: Asked, arm: Arm, ticket: int, *, is_over: bool) -> None:
        """Note that the caller left, or, when it is not over, that the request has to be sent again."""

    async def again(self, request: Request, asked: Asked) -> Response:
        """Answer a request that no backend has begun."""


class Direct:
    """One request that was sent to a backend; ``forget`` is called when its answer has begun or will not come."""

    __slots__ = ("_arm", "_asked", "_connection", "_desk", "_forget", "_request", "_ticket", "_upstream")

    def __init__(
        self,
        desk: DirectDesk,
        connection: Connection,
        upstream: Upstream,
        request: Request,
        asked: Asked,
        arm: Arm,
        ticket: int,
        forget: Callable[[Direct], None],
    ) -> None:
        self._desk = desk
        self._connection = connection
        self._upstream = upstream
        self._request = request
        self._asked = asked
        self._arm = arm
        self._ticket = ticket
        self._forget = forget

    @property
    def began(self) -> float:
        return self._asked.began

    def send(self, data: bytes) -> None:
        self._upstream.ask_now(data, self._told, to_head=self._request.method == "HEAD")

    def cancel(self) -> None:
        """The caller has left."""
        self._forget(self)
        self._upstream.forget()
        self._desk.left(self._asked, self._arm, self._ticket, is_over=True)
        self._connection.cut()

    def late(self, error: Unanswered) -> None:
        """Nothing was answered in time."""
        self._forget(self)
        self._upstream.forget()
        self._connection.answer(self._desk.broken(error, self._asked, self._arm, self._ticket))

    def _told(self) -> None:
        self._forget(self)
        upstream, head, failure = self._upstream, self._upstream.answered, self._upstream.failure
        if head is None or NOT_BEGUN in head.headers:
            upstream.abort()
            if head is not None or (isinstance(failure, Unanswered) and is_repeatable(self._request.method)):
                self._desk.left(self._asked, self._arm, self._ticket, is_over=False)
                self._connection.go_on(self._desk.again(self._request, self._asked))
            else:
                error = failure or Unanswered("Nothing was answered.")
                answer = self._desk.broken(error, self._asked, self._arm, self._ticket)
                self._connection.answer(answer)
            return
        response = response_of(upstream, head)
        response = self._desk.answered(response, self._asked, self._arm, self._ticket)
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
        self._waiting: dict[Direct, None] = {}
        self._timer: asyncio.TimerHandle | None = None

    def add(self, direct: Direct) -> None:
        self._waiting[direct] = None
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._answer_s, self._look)

    def discard(self, direct: Direct) -> None:
        self._waiting.pop(direct, None)

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _look(self) -> None:
        loop = asyncio.get_running_loop()
        self._timer = None
        for direct in list(self._waiting):
            left = direct.began + self._answer_s - loop.time()
            if left > 0:
                self._timer = loop.call_later(left, self._look)
                return
            direct.late(Unanswered(f"Nothing was answered within {self._answer_s:g} s.", is_late=True))
