"""The writing half of a server's connection: in order, at once or at the end of a turn, as fast as the client reads."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

from flowyard.wire.limits import WireLimits
from flowyard.wire.message import Response
from flowyard.wire.written import LAST_CHUNK, chunk, head_bytes

__all__ = ["Writing"]


class Writing(asyncio.Protocol):
    """``deadline`` is when the server's sweep ends what takes too long; None while a handler works."""

    _transport: asyncio.Transport

    def __init__(self, loop: asyncio.AbstractEventLoop, limits: WireLimits) -> None:
        self.deadline: float | None = None
        self._loop = loop
        self._limits = limits
        self._unsent = b""
        self._room: asyncio.Future[None] | None = None
        self._is_full = False

    def pause_writing(self) -> None:
        self._is_full = True

    def resume_writing(self) -> None:
        self._is_full = False
        if self._room is not None and not self._room.done():
            self._room.set_result(None)

    def write_out(self) -> None:
        """Send what waits."""
        data, self._unsent = self._unsent, b""
        if data and not self._transport.is_closing():
            self._transport.write(data)

    def _write(self, data: bytes) -> None:
        """Send after all that waits."""
        if self._unsent:
            self.write_out()
        if data:
            self._transport.write(data)

    async def _stream(self, response: Response, *, closes: bool, chunks: bool) -> None:
        assert not isinstance(response.body, bytes)
        self._write(head_bytes(response, length=response.length, closes=closes, chunks=chunks))
        sent = 0
        async with aclosing(response.body) as pieces:
            async for piece in pieces:
                if piece:
                    sent += len(piece)
                    self._write(chunk(piece) if chunks else piece)
                    if self._is_full:
                        await self._until_room()
        if chunks:
            self._write(LAST_CHUNK)
        elif response.length not in (None, sent):
            raise ValueError(f"A body of {response.length} bytes was announced, {sent} came.")

    async def _until_room(self) -> None:
        """Wait while the client does not read."""
        self._room = self._loop.create_future()
        self.deadline = self._loop.time() + self._limits.write_s
        try:
            await self._room
        finally:
            self._room = self.deadline = None
