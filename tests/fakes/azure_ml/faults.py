"""How Azure refuses, and how an answer is cut short."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from aiohttp import web


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
