"""The switch of an endpoint: one address that stays, behind which deployments change. ``python -m …switch FOLDER``.

It looks up the shares for each request that begins, so that a change holds at once for all later ones, and requests
under way are not touched. It holds no secret.
"""

from __future__ import annotations

import asyncio
import random
import sys
from pathlib import Path

import aiohttp
from aiohttp import web
from multidict import CIMultiDict, CIMultiDictProxy

from flowyard._util.listen import listen_until_stopped
from flowyard.deploy.targets.switch.endpoint_folder import EndpointFolder
from flowyard.deploy.targets.switch.kept_process import KeptProcess
from flowyard.deploy.targets.switch.under_way import UnderWay

__all__ = ["DEPLOYMENT_HEADER", "Switch", "switch_process"]

DEPLOYMENT_HEADER = "x-flowyard-deployment"
"""Says in an answer which deployment gave it."""

_OF_ONE_CONNECTION = frozenset(
    {
        *("connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "te", "trailer"),
        *("transfer-encoding", "upgrade", "expect"),
    }
)
_PATIENCE_S = 30.0
_AGAIN_S = 0.1
_SHUTDOWN_S = 30.0
_PIECE = 64 * 1024


class Switch:
    """Hands each request to one deployment, and its answer back piece by piece."""

    def __init__(self, endpoint: EndpointFolder, session: aiohttp.ClientSession) -> None:
        self._endpoint = endpoint
        self._session = session
        self._under_way = UnderWay()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Wait a while for a deployment that is just being restarted; nothing is sent twice."""
        until = asyncio.get_running_loop().time() + _PATIENCE_S
        while True:
            name = self._chosen()
            if name and self._under_way.begin(self._endpoint.deployment(name)):
                try:
                    answer = await self._answer(request, name)
                finally:
                    self._under_way.end(self._endpoint.deployment(name))
                if answer is not None:
                    return answer
            if not name or asyncio.get_running_loop().time() > until:
                return _failed(503, f"The deployment {name} does not answer." if name else "Nothing is deployed here.")
            await asyncio.sleep(_AGAIN_S)

    def _chosen(self) -> str:
        """The deployment that a request goes to; empty when there is none."""
        shares = self._endpoint.shares
        return random.choices(list(shares), list(shares.values()))[0] if shares else ""

    async def _answer(self, request: web.Request, name: str) -> web.StreamResponse | None:
        """What the deployment answers; None when nothing was sent, because it is not there now."""
        address = self._endpoint.address(name)
        if not address or name not in self._endpoint.shares:
            return None
        try:
            return await self._forwarded(request, name, address)
        except aiohttp.ClientConnectorError:
            return None
        except (aiohttp.ClientError, ConnectionError) as error:
            return _failed(502, f"The deployment {name} broke off: {type(error).__name__}.")

    async def _forwarded(self, request: web.Request, name: str, address: str) -> web.StreamResponse:
        body = request.content if request.body_exists else None
        headers = _end_to_end(request.headers)
        async with self._session.request(
            request.method, address + request.raw_path, data=body, headers=headers, allow_redirects=False
        ) as answer:
            response = web.StreamResponse(status=answer.status, reason=answer.reason)
            response.headers.extend(_end_to_end(answer.headers))
            response.headers[DEPLOYMENT_HEADER] = name
            await response.prepare(request)
            try:
                async for piece in answer.content.iter_chunked(_PIECE):
                    await response.write(piece)
            except aiohttp.ClientError:
                if request.transport:
                    request.transport.abort()  # so that the caller sees that the answer is not whole
                return response
            await response.write_eof()
            return response


def _end_to_end(headers: CIMultiDictProxy[str]) -> CIMultiDict[str]:
    """Headers without those that are between two ends of one connection."""
    named = {each.strip().lower() for value in headers.getall("Connection", ()) for each in value.split(",")}
    dropped = _OF_ONE_CONNECTION | named
    return CIMultiDict((name, value) for name, value in headers.items() if name.lower() not in dropped)


def _failed(status: int, message: str) -> web.Response:
    body = {"error": {"code": "Unavailable", "message": message}}
    return web.json_response(body, status=status, headers={"Retry-After": "1"})


def switch_process(folder: Path) -> KeptProcess:
    """The process of the switch of an endpoint."""
    return KeptProcess(folder, "switch")


async def _serve(endpoint: EndpointFolder) -> None:
    connector = aiohttp.TCPConnector(limit=0, force_close=True)  # a kept connection may be closed just when it is used
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=5)
    async with aiohttp.ClientSession(
        connector=connector, timeout=timeout, auto_decompress=False, cookie_jar=aiohttp.DummyCookieJar()
    ) as session:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", Switch(endpoint, session).handle)
        ready = endpoint.path / "switch.address"
        await listen_until_stopped(
            app, "127.0.0.1", endpoint.port, say=lambda url: url, ready_file=ready, shutdown_s=_SHUTDOWN_S
        )


def _main(folder: Path) -> None:
    with switch_process(folder).being_it() as mine:
        if mine:
            asyncio.run(_serve(EndpointFolder(folder)))


if __name__ == "__main__":
    _main(Path(sys.argv[1]))
