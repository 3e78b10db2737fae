"""``/metrics`` over HTTP, read from the store: once for all who ask while it is read."""

from __future__ import annotations

from collections.abc import Callable

from flowyard._util.shared_work import SharedWork
from flowyard.errors import FlowyardError
from flowyard.production.metrics.prometheus import CONTENT_TYPE
from flowyard.wire import Refusal, Request, Response, Route, Routes, WireLimits, WireServer, refused

__all__ = ["MetricsServer"]


class MetricsServer:
    """``require_access`` raises Refusal for who may not ask; ``read`` gives the text. Close it in the end."""

    def __init__(self, require_access: Callable[[Request], None], read: Callable[[], str]) -> None:
        self._require_access = require_access
        self._read = SharedWork(read)
        self._routes = Routes(
            [Route("GET", "/metrics", self._metrics), Route("GET", "/health", self._health, is_open=True)]
        )
        self._server = WireServer(self._handle, refused, WireLimits(body_bytes=1024, connections=64))

    async def listen(self, host: str, port: int) -> tuple[str, int]:
        """Begin; gives the address. Raises OSError."""
        return await self._server.listen(host, port)

    async def close(self) -> None:
        """End what is under way, then the server."""
        await self._server.drain(1.0)

    async def _handle(self, request: Request) -> Response:
        try:
            route = self._routes.find(request)
            if not route.is_open:
                self._require_access(request)
            return await route.handler(request)
        except Refusal as refusal:
            return refused(refusal)
        except FlowyardError as error:
            return refused(Refusal(error.http_status, error.message))

    async def _metrics(self, _request: Request) -> Response:
        text = await self._read.result()
        return Response(200, text.encode(), CONTENT_TYPE)

    async def _health(self, _request: Request) -> Response:
        return Response(200, b'{"status": "ok"}')
