"""What is to go wrong, and how often."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from aiohttp import web

Kind = Literal["status", "reset", "reset_after", "truncated", "cut"]
"""``status``: answered with it and not carried out. ``reset``: the connection ends before anything is done, or
(``reset_after``) after. ``truncated``: done, and the JSON of the answer is half. ``cut``: fewer bytes come than were
announced."""


@dataclass
class Fault:
    """Happens to the next ``times`` requests of a method and a path (a regular expression, anywhere in it)."""

    method: str
    path: str
    kind: Kind = "status"
    status: int = 500
    times: int = 1
    skip: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)
    code: str = "InternalServerError"
    message: str = "An internal error."

    def takes(self, method: str, path: str) -> bool:
        if self.times <= 0 or method != self.method or not re.search(self.path, path):
            return False
        if self.skip:
            self.skip -= 1
            return False
        self.times -= 1
        return True

    def refusal(self) -> web.Response:
        return refused(self.status, self.code, self.message, self.headers)


def refused(status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> web.Response:
    body: Any = {"error": {"code": code, "message": message}}
    return web.json_response(body, status=status, headers=dict(headers or {}))


async def send_half(request: web.Request, response: web.Response, *, announced_whole: bool) -> web.StreamResponse:
    """The beginning of a response, either as if that were all, or with the connection ending before the rest."""
    whole = response.body if isinstance(response.body, bytes) else b""
    half = whole[: len(whole) // 2]
    length = len(whole) if announced_whole else len(half)
    stream = web.StreamResponse(status=response.status, headers={"Content-Length": str(length)})
    stream.content_type = "application/json"
    await stream.prepare(request)
    await stream.write(half)
    if announced_whole and request.transport is not None:
        request.transport.close()
    return stream


def as_json(content: bytes) -> Any:
    """The body of a request; ValueError when it is none."""
    return json.loads(content) if content else None
