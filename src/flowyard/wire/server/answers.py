"""The answering half of a connection: one answer at a time, whole or in pieces, and what follows it."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable
from typing import TYPE_CHECKING

from flowyard.wire.message import Request, Response
from flowyard.wire.outbox import Outbox
from flowyard.wire.reading.head import Head
from flowyard.wire.server.answering import Answering
from flowyard.wire.server.writing import Writing
from flowyard.wire.written import whole_bytes

if TYPE_CHECKING:
    from flowyard.wire.server.server import WireServer

__all__ = ["Answers"]


class Answers(Writing, ABC):
    """The reading half says what is asked, and goes on or closes after the answer."""

    def __init__(self, server: WireServer) -> None:
        super().__init__(server.loop, server.limits)
        self._server = server
        self._task: asyncio.Task[None] | Answering | None = None
        self._is_over = False

    @property
    @abstractmethod
    def _under_way(self) -> tuple[Head, Request]:
        """What is being answered."""

    @abstractmethod
    def _next(self) -> None:
        """Go on with what has arrived meanwhile."""

    @abstractmethod
    def _linger(self) -> None:
        """Close our half; the rest goes once the client has closed its own, or soon."""

    def go_on(self, answer: Awaitable[Response]) -> None:
        """Answer with what that gives, in a task."""
        self.deadline = None
        self._task = self._loop.create_task(self._answer(*self._under_way, answer))

    def keeps(self) -> bool:
        """Whether the connection stays after the answer, as far as the server is concerned."""
        return not self._server.is_draining

    def pass_on(self, data: bytes, outbox: Outbox | None = None) -> None:
        """Answer with a whole answer as it is sent, after which the connection stays."""
        self._unsent += data
        if outbox is None or self._is_full:
            self._write(b"")
            self._written(keeps=True)
        else:
            outbox.add(self)
            self._next()

    def answer(self, response: Response) -> None:
        """Answer at once, with a whole body."""
        head, request = self._under_way
        keeps = head.keeps and not response.closes and not self._server.is_draining
        self._write(whole_bytes(response, closes=not keeps, to_head=request.method == "HEAD"))
        self._written(keeps=keeps)

    def _written(self, *, keeps: bool) -> None:
        if self._is_full:
            self._task = self._loop.create_task(self._end_with_room(keeps=keeps))
        else:
            self._end(keeps=keeps)

    def cut(self) -> None:
        """End without an answer."""
        self._end(keeps=False, aborts=not self._is_over)

    async def _end_with_room(self, *, keeps: bool) -> None:
        aborts = False
        try:
            await self._until_room()
        except asyncio.CancelledError:
            keeps, aborts = False, not self._is_over
        self._end(keeps=keeps, aborts=aborts)

    async def _answer(self, head: Head, request: Request, answer: Awaitable[Response]) -> None:
        try:
            response = await answer
            keeps = head.keeps and not response.closes and not self._server.is_draining
            if isinstance(response.body, bytes):
                self._write(whole_bytes(response, closes=not keeps, to_head=request.method == "HEAD"))
                if self._is_full:
                    await self._until_room()
            else:
                chunks = response.length is None and not head.is_old
                keeps = keeps and (chunks or response.length is not None)
                await self._stream(response, closes=not keeps, chunks=chunks)
        except BaseException as error:
            self._end(keeps=False, aborts=not self._is_over)
            if not isinstance(error, asyncio.CancelledError | Exception):
                raise
        else:
            self._end(keeps=keeps)

    def _end(self, *, keeps: bool, aborts: bool = False) -> None:
        """The request is answered."""
        ends = not keeps and not self._is_over
        self._is_over |= ends
        self._next()
        if ends:
            self._transport.abort() if aborts else self._linger()
