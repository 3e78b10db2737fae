"""Outputs that arrive in pieces."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

from flowyard.engine.host import CodeHost

__all__ = ["TextStream", "holds_streams", "is_stream", "joined", "opened"]

_END = object()


class TextStream:
    """The pieces of one output, to be read once; pieces are texts, or whatever a generator yields."""

    def __init__(self, pieces: AsyncIterator[Any]) -> None:
        self._pieces = pieces

    def __aiter__(self) -> AsyncIterator[Any]:
        return self._pieces

    async def close(self) -> None:
        """Ask for no more: a generator behind it is closed, a model's answer is broken off. Safe to call again."""
        close = getattr(self._pieces, "aclose", None)
        if close is not None:
            await close()


def is_stream(value: Any) -> bool:
    """Whether a value arrives in pieces: a stream of ours, or a generator or other iterator of user code."""
    return isinstance(value, TextStream | Iterator | AsyncIterator)


def holds_streams(value: Any) -> bool:
    """Whether a value is a stream or has one among the values of a dict, where an output can name it."""
    return is_stream(value) or (isinstance(value, dict) and any(map(is_stream, value.values())))


async def joined(value: Any, host: CodeHost) -> Any:
    """Any value as it is, and a stream, also one in a dict, as the text of its pieces. Raises what it raises."""
    if isinstance(value, dict) and holds_streams(value):
        return {key: await joined(item, host) for key, item in value.items()}
    if isinstance(value, Iterator):
        return await host.in_thread(lambda: "".join(map(str, value)))
    if isinstance(value, AsyncIterator):
        return await host.on_loop(_text_of, value)
    return await _text_of(value) if isinstance(value, TextStream) else value


def opened(value: Any, host: CodeHost) -> Any:
    """Any value as it is, and an iterator as a stream that any event loop can read."""
    if isinstance(value, Iterator):
        return TextStream(_from_thread(value, host))
    if isinstance(value, AsyncIterator):
        return TextStream(_from_loop(value, host))
    return value


async def _text_of(pieces: Any) -> str:
    return "".join([str(piece) async for piece in pieces])


async def _from_thread(generator: Any, host: CodeHost) -> AsyncIterator[Any]:
    while (piece := await host.in_thread(next, generator, _END)) is not _END:
        yield piece


async def _from_loop(generator: Any, host: CodeHost) -> AsyncIterator[Any]:
    async def step() -> Any:
        return await anext(generator, _END)

    while (piece := await host.on_loop(step)) is not _END:
        yield piece
