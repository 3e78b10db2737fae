"""The body of one request, which may come in many pieces."""

from __future__ import annotations

from typing import Protocol

from flowyard.wire.limits import WireLimits
from flowyard.wire.reading.chunks import ChunkReader
from flowyard.wire.refusal import Refusal

__all__ = ["Arriving", "Holder"]


class Holder(Protocol):
    """Counts what is here of requests that are not complete."""

    held_bytes: int


class Arriving:
    """``length`` is the body's in bytes, None for one in chunks. ``is_new`` until something was held."""

    def __init__(self, length: int | None, limits: WireLimits, holder: Holder) -> None:
        self.is_new = True
        self._length = length or 0
        self._chunks = ChunkReader(limits) if length is None else None
        self._limits = limits
        self._holder = holder
        self._held = 0

    def take(self, data: bytearray) -> bytes | None:
        """The body once it is complete, taken from what came. Raises Refusal."""
        if self._chunks is not None:
            return bytes(self._chunks.body) if self._chunks.feed(data) else None
        if len(data) < self._length:
            return None
        body = bytes(data[: self._length])
        del data[: self._length]
        return body

    def hold(self, data: bytearray) -> None:
        """Note how much is here of the request. Raises Refusal when all connections hold too much."""
        self.is_new = False
        size = len(data) + (len(self._chunks.body) if self._chunks is not None else 0)
        self._note(size)
        if size and self._holder.held_bytes > self._limits.held_bytes:
            raise Refusal(503, "The server holds too much of requests that are not complete.", retry_after_s=1)

    def let_go(self) -> None:
        """Nothing is held any longer."""
        self._note(0)

    def _note(self, size: int) -> None:
        self._holder.held_bytes += size - self._held
        self._held = size
