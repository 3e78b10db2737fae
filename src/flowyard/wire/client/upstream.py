"""One connection to a server that is asked: one request at a time, the answer's body in pieces as they come."""

from __future__ import annotations

import asyncio
import select
from collections import deque
from collections.abc import AsyncGenerator, Callable
from typing import Protocol, cast

from flowyard.wire.client.failures import BrokenOff, Unanswered
from flowyard.wire.limits import WireLimits
from flowyard.wire.outbox import Outbox
from flowyard.wire.reading.answer_head import AnswerHead, BadAnswer, parse_answer_head
from flowyard.wire.reading.chunks import ChunkReader
from flowyard.wire.reading.head import HEAD_END
from flowyard.wire.refusal import Refusal

__all__ = ["Asker", "Upstream"]

_LONGEST_HEAD = 64 * 1024
_MOST_WAITING = 256 * 1024
"""Bytes of a body that nobody has taken yet, after which nothing more is read."""
_CHUNKS = WireLimits(body_bytes=1 << 30)
_CONTINUE = 100


class Asker(Protocol):
    """Waits for an answer without a task."""

    def takes(self, data: bytes) -> bool:
        """Whether the first bytes that came are the whole answer, after which the connection is kept."""

    def told(self) -> None:
        """There is an ``answered`` or a ``failure``; called at most once, and never after ``takes`` was true."""


class Upstream(asyncio.Protocol):
    """``released`` is called once an answer has been read to its end, and the connection can be used again."""

    def __init__(self, released: Callable[[Upstream], None]) -> None:
        self.idle_since = 0.0
        self._released = released
        self._loop = asyncio.get_running_loop()
        self._data = bytearray()
        self._head: AnswerHead | None = None
        self._to_head = False
        self._came: asyncio.Future[None] | None = None
        self._asker: Asker | None = None
        self._is_silent = False
        self._unsent: bytes | None = None
        self._asks = False
        self._failure: Exception | None = None
        self._chunks: ChunkReader | None = None
        self._left = 0
        self._pieces: deque[bytes] = deque()
        self._waiting = 0
        self._is_whole = False
        self._is_paused = False
        self._is_lost = False
        self._poll: select.poll | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        is_plain = transport.get_extra_info("sslcontext") is None  # TLS says things by itself at any time
        if is_plain and hasattr(select, "poll"):
            self._poll = select.poll()
            self._poll.register(transport.get_extra_info("socket").fileno(), select.POLLIN)

    def connection_lost(self, error: Exception | None) -> None:
        self._is_lost = True
        if self._unsent is not None:
            self._fail_unsent()
        self._end_of_data(error)

    def eof_received(self) -> bool:
        return False

    @property
    def is_usable(self) -> bool:
        """Whether a request may be sent: the server has neither closed nor said anything that nobody asked for."""
        return self.is_free() and self._is_quiet()

    def is_free(self) -> bool:
        """The same as far as the event loop has told; who sends later looks again."""
        return not (self._is_lost or self._asks or self._data or self._transport.is_closing())

    def _is_quiet(self) -> bool:
        return self._poll is None or not self._poll.poll(0)

    async def ask(self, request: bytes, *, to_head: bool = False) -> AnswerHead:
        """Send a whole request and wait for the head of its answer. Raises Unanswered and BadAnswer."""
        if not self.is_usable:
            raise Unanswered("The connection was closed.", is_untouched=True)
        self._to_head, self._asks = to_head, True
        self._head = self._failure = self._chunks = None
        self._is_whole = False
        self._transport.write(request)
        try:
            return await self._until_head()
        except BaseException:
            self.abort()
            raise

    def ask_now(self, request: bytes, asker: Asker, outbox: Outbox | None = None) -> None:
        """Send a whole request, over a connection that is free; costs less than waiting in a task.

        The asker is told of its answer, but never before this returns.
        """
        self._to_head, self._asks, self._is_silent, self._is_whole = False, True, True, False
        self._head = self._failure = self._chunks = None
        self._asker = asker
        if outbox is None and self._is_quiet():
            self._transport.write(request)
            return
        self._unsent = request
        if outbox is None:
            self._loop.call_soon(self.write_out)
        else:
            outbox.add(self)

    def write_out(self) -> None:
        """Send what waits, unless the connection has ended or something has come meanwhile."""
        request, poll = self._unsent, self._poll
        if request is None:
            return
        if self._is_lost or self._transport.is_closing() or (poll is not None and poll.poll(0)):
            self._fail_unsent()
        else:
            self._unsent = None
            self._transport.write(request)

    def _fail_unsent(self) -> None:
        """End a request of which nothing was sent."""
        self._unsent = None
        self._is_silent = False
        self._failure = Unanswered("The connection was closed.", is_untouched=True)
        self.abort()
        self._wake()

    @property
    def answered(self) -> AnswerHead | None:
        """The head of the answer, once it is here."""
        return self._head

    @property
    def failure(self) -> Exception | None:
        """Why no answer comes: Unanswered or BadAnswer."""
        return self._failure

    def forget(self) -> None:
        """Tell nobody of what was asked by ``ask_now``, and close."""
        self._unsent = self._asker = None
        self.abort()

    async def _until_head(self) -> AnswerHead:
        while self._head is None:
            if self._failure is not None:
                raise self._failure
            await self._more()
        return self._head

    def whole(self) -> bytes | None:
        """The body if all of it is here already, after which the connection is free; None when it is not."""
        if not self._is_whole:
            return None
        body = b"".join(self._pieces)
        self._pieces.clear()
        self._release()
        return body

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        """The body as it comes. Raises BrokenOff. Who stops early closes the connection."""
        try:
            while True:
                if self._pieces:
                    piece = self._pieces.popleft()
                    self._waiting -= len(piece)
                    if self._is_paused and self._waiting < _MOST_WAITING:
                        self._is_paused = False
                        self._transport.resume_reading()
                    yield piece
                elif self._is_whole:
                    return
                elif self._failure is not None:
                    raise BrokenOff(str(self._failure))
                else:
                    await self._more()
        finally:
            if self._is_whole and not self._pieces:
                self._release()
            else:
                self.abort()

    def abort(self) -> None:
        """Close at once, whatever is under way."""
        self._transport.abort()

    def data_received(self, data: bytes) -> None:
        if not self._asks or self._is_whole:
            self.abort()  # more than was asked for: whose answer would that be?
            return
        if self._unsent is not None:
            self._fail_unsent()
            return
        if self._is_silent:
            self._is_silent = False
            if self._asker is not None and self._asker.takes(data):
                self._asker = None
                self._release()
                return
        self._data += data
        try:
            if self._head is None:
                self._read_head()
            if self._head is not None:
                self._read_body(self._head)
        except (BadAnswer, Refusal) as error:
            self._failure = error if isinstance(error, BadAnswer) else BadAnswer(error.message)
            self.abort()
        self._wake()

    def _read_head(self) -> None:
        while self._head is None:
            end = self._data.find(HEAD_END, 0, _LONGEST_HEAD)
            if end < 0:
                if len(self._data) >= _LONGEST_HEAD:
                    raise BadAnswer("The head of the answer is too long.")
                return
            head = parse_answer_head(bytes(self._data[: end + 2]), to_head=self._to_head)
            del self._data[: end + 4]
            if head.status < 200:
                if head.status != _CONTINUE:
                    raise BadAnswer(f"The answer {head.status} was not asked for.")
                continue
            self._head = head
            self._chunks = ChunkReader(_CHUNKS) if head.body == "chunks" else None
            self._left = head.length or 0

    def _read_body(self, head: AnswerHead) -> None:
        if self._chunks is not None:
            self._is_whole = self._chunks.feed(self._data)
            self._add(bytes(self._chunks.body))
            self._chunks.body.clear()
        elif head.body == "length":
            piece = bytes(self._data[: self._left])
            del self._data[: len(piece)]
            self._left -= len(piece)
            self._add(piece)
            self._is_whole = not self._left
        elif head.body == "until closed":
            self._add(bytes(self._data))
            self._data.clear()
        else:
            self._is_whole = True

    def _add(self, piece: bytes) -> None:
        if piece:
            self._pieces.append(piece)
            self._waiting += len(piece)
        if self._waiting > _MOST_WAITING and not self._is_paused and not self._is_whole:
            self._is_paused = True
            self._transport.pause_reading()

    def _end_of_data(self, error: Exception | None) -> None:
        if self._head is not None and self._head.body == "until closed" and error is None:
            self._is_whole = True
        elif self._failure is None and not self._is_whole:
            self._failure = Unanswered(f"The connection ended: {error or 'it was closed'}.")
        self._wake()

    def _wake(self) -> None:
        if self._asker is not None and (self._head is not None or self._failure is not None):
            asker, self._asker = self._asker, None
            asker.told()
        elif self._came is not None and not self._came.done():
            self._came.set_result(None)

    async def _more(self) -> None:
        self._came = self._loop.create_future()
        try:
            await self._came
        finally:
            self._came = None

    def _release(self) -> None:
        self._waiting = 0
        self._asks = False
        if self._is_paused:
            self._is_paused = False
            self._transport.resume_reading()
        is_quiet = not (self._is_lost or self._data or self._transport.is_closing())  # looked at again before its use
        keeps = self._head is None or self._head.keeps  # none was read of what a task did not need
        if keeps and is_quiet and not self._transport.get_write_buffer_size():
            self._released(self)
        else:
            self._transport.close()
