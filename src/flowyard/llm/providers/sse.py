"""Server-sent events: the framing of streamed answers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Protocol

__all__ = ["iter_events"]


class _Bytes(Protocol):
    def iter_any(self) -> AsyncIterator[bytes]: ...


async def iter_events(stream: _Bytes) -> AsyncIterator[str]:
    """The ``data`` of each event, as it completes; comments and other fields are skipped.

    An event that the end of the stream cuts short is still given: it is for the reader to judge.
    """
    buffer = b""
    data: list[str] = []
    async for block in stream.iter_any():
        *lines, buffer = (buffer + block).split(b"\n")
        for line in lines:
            text = line.rstrip(b"\r").decode("utf-8", "replace")
            if text.startswith("data:"):
                data.append(text[5:].removeprefix(" "))
            elif not text and data:
                yield "\n".join(data)
                data = []
    if data:
        yield "\n".join(data)
