"""What a handler gets and what it gives."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

__all__ = ["Handler", "Request", "Response"]


@dataclass(slots=True)
class Request:
    """A whole request. ``headers`` have lower-case names; a repeated one holds its values joined by commas.

    ``path`` is as it was sent, still encoded, without the query. ``local`` is the address of our end of the
    connection, ``peer`` the host of the other. ``is_gone`` says that nobody waits for the answer any more,
    ``is_stopping`` that the server has to end. ``known`` is what ``begin`` found out before it left the request to the
    handler, so that nothing is drawn twice.
    """

    method: str
    path: str
    query_text: str
    headers: Mapping[str, str]
    body: bytes = b""
    local: tuple[str, int] = ("", 0)
    is_gone: bool = False
    is_stopping: bool = False
    peer: str = ""
    known: object = None

    @property
    def query(self) -> dict[str, str]:
        """The parameters of the query; of a repeated one the last."""
        return dict(parse_qsl(self.query_text, keep_blank_values=True))


@dataclass(slots=True)
class Response:
    """``body`` is complete, or comes in pieces, each of which is sent when it is there.

    ``length`` is that of a body in pieces, where it is known, and of the body that an answer to HEAD stands for.
    ``cookies`` are the values of Set-Cookie, the one header that is there several times. ``closes`` ends the connection
    after the answer.
    """

    status: int = 200
    body: bytes | AsyncGenerator[bytes, None] = b""
    content_type: str = "application/json; charset=utf-8"
    headers: dict[str, str] = field(default_factory=dict)
    closes: bool = False
    length: int | None = None
    cookies: tuple[str, ...] = ()


Handler = Callable[[Request], Awaitable[Response]]
