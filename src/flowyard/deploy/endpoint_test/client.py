"""Requests to the endpoint under test. Redirects are not followed: they would take the key elsewhere.

Endpoints may be in private networks and on this machine, but never where a cloud tells a machine its secrets, however
that address is written and whatever name leads there.
"""

from __future__ import annotations

import errno
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import aiohttp
from aiohttp.abc import ResolveResult
from aiohttp.resolver import ThreadedResolver

from flowyard._util.addresses import is_metadata, parse_address
from flowyard._util.printable import printable_text
from flowyard.deploy.model import Address

__all__ = ["Answer", "EndpointClient", "Unreached"]

_LARGEST = 32 * 1024 * 1024
_REDIRECTS = range(300, 400)
_SHOWN = 300


class Unreached(Exception):
    """Nobody answered, or not to the end."""


@dataclass(frozen=True, slots=True)
class Answer:
    """``text`` is the body, ``latency_ms`` the time until all of it was there."""

    status: int
    text: str
    latency_ms: float

    @property
    def body(self) -> Any:
        """The body as JSON; None when it is none."""
        try:
            return json.loads(self.text)
        except ValueError:
            return None

    def problem(self, *expected: int) -> str | None:
        """What is wrong with the status, with the beginning of the body; None when it is one of those expected."""
        if self.status in expected:
            return None
        if self.status in _REDIRECTS:
            return f"It redirects ({self.status}), which is not followed, because the key would go along."
        shown = " ".join(printable_text(self.text[:_SHOWN]).split())
        return f"HTTP {self.status}: {shown}"


class _Resolver(ThreadedResolver):
    """Names as the system resolves them, without what leads to metadata; connections go to what it returned."""

    async def resolve(self, host: str, port: int = 0, family: Any = 0) -> list[ResolveResult]:
        """Raises OSError when nothing is left."""
        found = await super().resolve(host, port, family)
        for each in found:
            _require_endpoint(each["host"])
        return found


def _require_endpoint(host: str) -> None:
    address = parse_address(host.partition("%")[0])
    if address is not None and is_metadata(address):
        said = f"{host} is no address of an endpoint: a cloud's machines ask there for their secrets"
        raise OSError(errno.EACCES, said)


class EndpointClient:
    """Asks one endpoint; its connections are kept from request to request. To be used as a context."""

    def __init__(self, address: Address, timeout_s: float) -> None:
        self._address = address
        timeout = aiohttp.ClientTimeout(total=timeout_s)
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(resolver=_Resolver()), timeout=timeout, cookie_jar=aiohttp.DummyCookieJar()
        )

    async def __aenter__(self) -> EndpointClient:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    async def get(self, route: str) -> Answer:
        """Raises Unreached."""
        return await self._ask("GET", route, None)

    async def score(self, body: Any) -> Answer:
        """``POST /score`` with a value as JSON. Raises Unreached."""
        return await self._ask("POST", "/score", json.dumps(body).encode())

    async def _ask(self, method: str, route: str, data: bytes | None) -> Answer:
        headers: Mapping[str, str] = {"Accept": "application/json", **self._address.headers}
        if data is not None:
            headers = {"Content-Type": "application/json", **headers}
        began = time.perf_counter()
        try:
            _require_endpoint(urlsplit(self._address.url).hostname or "")  # addresses are not resolved
            async with self._session.request(
                method, self._address.url.rstrip("/") + route, data=data, headers=headers, allow_redirects=False
            ) as answer:
                content = await answer.content.read(_LARGEST)
                while not answer.content.at_eof() and len(content) < _LARGEST:
                    content += await answer.content.read(_LARGEST - len(content))
        except (TimeoutError, aiohttp.ClientError, OSError, ValueError) as error:
            raise Unreached(f"{method} {route}: {_said(error)}") from None
        text = content.decode("utf-8", "replace")
        return Answer(answer.status, text, (time.perf_counter() - began) * 1000)


def _said(error: Exception) -> str:
    return printable_text(str(error)) or type(error).__name__
