"""One connection: requests are read one after the other, each is answered before the next is looked at."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

from flowyard.wire.message import Request, Response
from flowyard.wire.reading.head import HEAD_END, Head, find_head, parse_head
from flowyard.wire.refusal import Refusal
from flowyard.wire.server.answers import Answers
from flowyard.wire.server.arriving import Arriving
from flowyard.wire.written import CONTINUE, GOODBYE, whole_bytes

if TYPE_CHECKING:
    from flowyard.wire.server.server import WireServer

__all__ = ["Connection"]

_NOTHING = b"", b""
_MOST_WAITING = 64 * 1024
"""Bytes of requests that came before their turn, after which nothing more is read."""
_LINGER_S = 2.0
"""How long what a refused client still sends is thrown away, so that it can read why."""


class Connection(Answers):
    """What the server has for each of its callers."""

    def __init__(self, server: WireServer) -> None:
        super().__init__(server)
        self._data = bytearray()
        self._raw = b"", b""
        self.known: object = None
        """What ``begin`` found out of the request at hand, when it left that to others."""
        self._head: Head | None = None
        self._arriving: Arriving | None = None
        self._request: Request | None = None
        self._is_paused = False
        self._rests = False

    @property
    def is_idle(self) -> bool:
        """Whether nothing of a request is here."""
        return self._task is None and self._head is None and not self._data

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # those of other event loops are no subclasses
        self._local = transport.get_extra_info("sockname") or ("", 0)
        self.peer = str((transport.get_extra_info("peername") or ("",))[0])
        self.deadline = self._loop.time() + self._limits.head_s
        if not self._server.add(self):
            self._refuse_with(self._server.refused(Refusal(503, "Too many connections.", retry_after_s=1)))

    def connection_lost(self, _error: Exception | None) -> None:
        self._server.remove(self)
        self._is_over = True
        self._let_go()
        self._gone()
        self.resume_writing()

    def eof_received(self) -> bool:
        self._gone()  # who closes the sending half is taken for gone: nobody tells the two apart in time
        return False

    def _gone(self) -> None:
        if self._request is not None:
            self._request.is_gone = True
        self._cancel()

    def _cancel(self) -> None:
        """End what is under way; a task has its first step before: it holds things that only its code gives back."""
        if isinstance(self._task, asyncio.Task):
            self._loop.call_soon(self._task.cancel)
        elif self._task is not None:
            self._task.cancel()

    def data_received(self, data: bytes) -> None:
        if self._is_over:
            return
        if self._rests:
            # One request and no more needs no task; its head is then not read in full.
            end = data.find(HEAD_END, 0, self._limits.head_bytes + 4)
            if end > 0 and self._begun(data[:end], data[end + 4 :]):
                return
            self._rests = False  # a head has one deadline, however slowly its bytes come
            self.deadline = self._loop.time() + self._limits.head_s
        self._data += data
        if self._task is None:
            self._read()
        elif len(self._data) > _MOST_WAITING and not self._is_paused:
            self._is_paused = True
            self._transport.pause_reading()

    def _begun(self, head: bytes, body: bytes) -> bool:
        """Whether ``begin`` has taken the request; the connection looks after it, then."""
        begin = self._server.begin
        self._raw = head, body
        if begin is None or (task := begin(head, body, self)) is None:
            return False
        self._task, self._rests = task, False
        return True

    def stop(self) -> None:
        """End now: the handler is told, and may say a last word."""
        if self._request is not None:
            self._request.is_stopping = True
        if self._task is not None:
            self._cancel()
        else:
            self._write(b"")
            self._transport.close()

    def close_idle(self) -> None:
        """Close, if nothing is going on here, and say so: a request that is on its way here was not begun."""
        if self.is_idle and not self._is_over:
            self._is_over = True
            self._write(GOODBYE)
            self._linger()

    def too_slow(self) -> None:
        """The deadline has passed."""
        self.deadline = None
        if self._task is not None and not isinstance(self._task, asyncio.Task):
            self._task.late()
        elif self._is_over or self._task is not None:
            self._transport.abort()
        elif self.is_idle and not self._is_full:
            self._transport.close()
        elif self.is_idle:
            self._transport.abort()
        else:
            self._refuse_with(self._server.refused(Refusal(408, "The request did not arrive in time.")))

    def _read(self) -> None:
        """Read as far as a whole request is here, and start its handler."""
        try:
            if self._head is None or self._arriving is None:
                end = find_head(self._data, self._limits)
                if end < 0:
                    return
                raw = bytes(self._data[: end + 2])
                self._head = parse_head(raw, self._limits)
                self._raw = raw[:-2], b""
                del self._data[: end + 4]
                self._arriving = Arriving(self._head.length, self._limits, self._server)
                self.deadline = self._loop.time() + self._limits.body_s
            body = self._arriving.take(self._data)
            if body is None:
                if self._arriving.is_new and not self._may_send_body(self._head):
                    return
                self._arriving.hold(self._data)
        except Refusal as refusal:
            self._refuse_with(self._server.refused(refusal))
            return
        if body is not None:
            self._let_go()
            self._start(self._head, body)

    def _may_send_body(self, head: Head) -> bool:
        """Whether to wait for the rest of a body; when not, the answer is given."""
        if self._server.before_body is not None:
            request = self._request_of(head, b"")
            response = self._server.before_body(request)
            if response is not None:
                self._refuse_with(response)
                return False
        if head.expects and not self._data:
            self._write(CONTINUE)
        return True

    def _let_go(self) -> None:
        """Nothing more of the request is to come."""
        if self._arriving is not None:
            self._arriving.let_go()
            self._arriving = None

    def _start(self, head: Head, body: bytes) -> None:
        if head.length is not None and self._begun(self._raw[0], body):
            return
        self._request = self._request_of(head, body)
        self.go_on(self._server.handle(self._request))

    def _request_of(self, head: Head, body: bytes) -> Request:
        return Request(
            head.method,
            head.path,
            head.query_text,
            head.headers,
            body,
            self._local[:2],
            peer=self.peer,
            known=self.known,
        )

    @property
    def request(self) -> Request:
        """The request under way; its head is read in full if nobody has needed that so far."""
        return self._under_way[1]

    @property
    def _under_way(self) -> tuple[Head, Request]:
        if self._head is None:
            self._head = parse_head(self._raw[0] + b"\r\n", self._limits)
        if self._request is None:
            self._request = self._request_of(self._head, self._raw[1])
        return self._head, self._request

    def _next(self) -> None:
        """Go on with what has arrived meanwhile."""
        self._task = self._request = self._head = self.known = None
        self._raw = _NOTHING
        if self._is_over:
            return
        self._rests = not self._data
        self.deadline = self._loop.time() + (self._limits.idle_s if self._rests else self._limits.head_s)
        if self._is_paused:
            self._is_paused = False
            self._transport.resume_reading()
        if self._data:
            self._read()

    def _refuse_with(self, response: Response) -> None:
        """Answer without reading what was to come; the connection ends, because nobody knows where that ends."""
        self._head = None
        self._is_over = True
        self._write(whole_bytes(response, closes=True))
        self._linger()

    def _linger(self) -> None:
        """Close our half; the rest goes once the client has closed its own, or soon."""
        self._write(b"")
        self._data.clear()
        self._let_go()
        if self._transport.can_write_eof() and not self._transport.is_closing():
            self._transport.write_eof()
        if self._is_paused:
            self._transport.resume_reading()
        self.deadline = self._loop.time() + _LINGER_S
