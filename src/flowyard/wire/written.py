"""An answer as the bytes that are sent."""

from __future__ import annotations

from http import HTTPStatus

from flowyard.wire.message import Response

__all__ = ["CONTINUE", "GOODBYE", "LAST_CHUNK", "NOT_BEGUN", "chunk", "head_bytes", "whole_bytes"]

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
NOT_BEGUN = "x-flowyard-not-begun"
"""In an answer: the server ends the connection without having begun a request on it, which may be sent elsewhere."""
GOODBYE = (
    f"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\n{NOT_BEGUN}: yes\r\nconnection: close\r\n\r\n"
).encode()
LAST_CHUNK = b"0\r\n\r\n"

_LINES = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n" for status in HTTPStatus}


def head_bytes(response: Response, *, length: int | None, closes: bool, chunks: bool) -> bytes:
    """The head with its empty line. ``length`` is the body's in bytes, None for one whose length is not known."""
    parts = [_LINES.get(response.status) or f"HTTP/1.1 {response.status} \r\n"]
    if response.content_type:
        parts.append(f"content-type: {response.content_type}\r\n")
    if length is not None:
        parts.append(f"content-length: {length}\r\n")
    elif chunks:
        parts.append("transfer-encoding: chunked\r\n")
    for name, value in response.headers.items():
        parts.append(f"{name}: {value if value.isprintable() else _one_line(value)}\r\n")
    if response.cookies:
        parts.extend(f"set-cookie: {_one_line(value)}\r\n" for value in response.cookies)
    parts.append("connection: close\r\n\r\n" if closes else "\r\n")
    return "".join(parts).encode("latin-1", "replace")


def whole_bytes(response: Response, *, closes: bool, to_head: bool = False) -> bytes:
    """An answer whose body is complete; that to a HEAD request without its body."""
    assert isinstance(response.body, bytes)
    length = len(response.body) if response.length is None else response.length
    head = head_bytes(response, length=length, closes=closes, chunks=False)
    return head if to_head else head + response.body


def chunk(piece: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(piece), piece)


def _one_line(value: str) -> str:
    """A value that came from elsewhere cannot begin a header of its own."""
    return "".join(each if each.isprintable() else "?" for each in value)
