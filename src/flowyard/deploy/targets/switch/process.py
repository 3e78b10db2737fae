"""The switch of an endpoint: one address that stays, behind which deployments change. ``python -m …switch FOLDER``.

It looks up the shares for each request that begins, so that a change holds at once for all later ones, and requests
under way are not touched. It holds no secret.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import sys
from collections.abc import AsyncGenerator
from pathlib import Path
from urllib.parse import urlsplit

from flowyard._util.event_loop import loop_factory
from flowyard._util.listen import serve_until_stopped
from flowyard.deploy.targets.switch.endpoint_folder import EndpointFolder
from flowyard.deploy.targets.switch.kept_process import KeptProcess
from flowyard.deploy.targets.switch.under_way import UnderWay
from flowyard.wire import (
    BadAnswer,
    Place,
    Refusal,
    Request,
    Response,
    Unanswered,
    WireClient,
    WireLimits,
    WireServer,
)

__all__ = ["DEPLOYMENT_HEADER", "Switch", "switch_process"]

DEPLOYMENT_HEADER = "x-flowyard-deployment"
"""Says in an answer which deployment gave it."""

_PATIENCE_S = 60.0
_AGAIN_S = 0.1
_LOOK_S = 2.0
_SHUTDOWN_S = 30.0
_BODY_BYTES = 256 * 1024 * 1024
"""More than the deployments take, who say themselves what is too much."""


class Switch:
    """Hands each request to one deployment, and its answer back piece by piece. Close it in the end."""

    def __init__(self, endpoint: EndpointFolder) -> None:
        self._endpoint = endpoint
        self._client = WireClient()
        self._under_way = UnderWay()
        self._server = WireServer(self.handle, _refused, WireLimits(body_bytes=_BODY_BYTES))

    async def listen(self, host: str, port: int) -> tuple[str, int]:
        """Begin; gives the address. Raises OSError."""
        return await self._server.listen(host, port)

    async def close(self) -> None:
        """End what is under way."""
        await self._server.drain(_SHUTDOWN_S)
        await self._client.close()

    async def handle(self, request: Request) -> Response:
        """Wait a while for a deployment that is just being restarted; nothing is sent twice that may have begun."""
        until = asyncio.get_running_loop().time() + _PATIENCE_S
        while True:
            name = self._chosen()
            if name and self._under_way.begin(self._endpoint.deployment(name)):
                answer = await self._counted(request, name)
                if answer is not None:
                    return answer
            if not name or asyncio.get_running_loop().time() > until:
                return _failed(503, f"The deployment {name} does not answer." if name else "Nothing is deployed here.")
            await asyncio.sleep(_AGAIN_S)

    def _chosen(self) -> str:
        """The deployment that a request goes to; empty when there is none."""
        shares = self._endpoint.shares
        return random.choices(list(shares), list(shares.values()))[0] if shares else ""

    async def _counted(self, request: Request, name: str) -> Response | None:
        """What the deployment answers; its request counts as under way until the last piece has been handed on."""
        folder, answer = self._endpoint.deployment(name), None
        try:
            answer = await self._answer(request, name)
        finally:
            if answer is None or isinstance(answer.body, bytes):
                self._under_way.end(folder)
        if answer is not None and not isinstance(answer.body, bytes):
            answer.body = self._counted_pieces(folder, answer.body)
        return answer

    async def _counted_pieces(self, folder: Path, pieces: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
        try:
            async for piece in pieces:
                yield piece
        finally:
            self._under_way.end(folder)
            await pieces.aclose()

    async def _answer(self, request: Request, name: str) -> Response | None:
        """What the deployment answers; None when it has begun nothing, because it is not there now."""
        address = self._endpoint.address(name)
        if not address or name not in self._endpoint.shares:
            return None
        parts = urlsplit(address)
        try:
            response = await self._client.forward(Place(parts.hostname or "", parts.port or 80), request)
        except Unanswered as error:
            return None if error.is_untouched else _failed(502, f"The deployment {name} broke off: {error}")
        except BadAnswer as error:
            return _failed(502, f"The deployment {name} gave no proper answer: {error}")
        response.headers[DEPLOYMENT_HEADER] = name
        return response


def _refused(refusal: Refusal) -> Response:
    """What is answered to what never became a request."""
    return _failed(refusal.status, refusal.message)


def _failed(status: int, message: str) -> Response:
    body = {"error": {"code": "Unavailable" if status >= 500 else "UserError", "message": message}}
    return Response(status, json.dumps(body).encode(), headers={"retry-after": "1"} if status >= 500 else {})


def switch_process(folder: Path) -> KeptProcess:
    """The process of the switch of an endpoint."""
    return KeptProcess(folder, "switch")


async def _serve(endpoint: EndpointFolder) -> None:
    ready = endpoint.path / "switch.address"
    _stop_when_gone(endpoint.path, asyncio.get_running_loop())
    await serve_until_stopped(Switch(endpoint), "127.0.0.1", endpoint.port, say=lambda url: url, ready_file=ready)


def _stop_when_gone(folder: Path, loop: asyncio.AbstractEventLoop) -> None:
    """When somebody threw the whole home away, nobody could stop this process any more: it stops itself."""
    if folder.is_dir():
        loop.call_later(_LOOK_S, _stop_when_gone, folder, loop)
    else:
        os.kill(os.getpid(), signal.SIGTERM)


def _main(folder: Path) -> None:
    with switch_process(folder).being_it() as mine:
        if mine:
            with asyncio.Runner(loop_factory=loop_factory()) as runner:
                runner.run(_serve(EndpointFolder(folder)))


if __name__ == "__main__":
    _main(Path(sys.argv[1]))
