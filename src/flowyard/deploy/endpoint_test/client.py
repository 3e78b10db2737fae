"""Requests to the endpoint under test. Redirects are not followed: they would take the key elsewhere."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp
from yarl import URL

from flowyard._util.pinned import Purpose, pinned_connector
from flowyard._util.printable import printable_text
from flowyard.deploy.model import Address

__all__ = ["HOSTS_VARIABLE", "Answer", "EndpointClient", "Unreached"]

HOSTS_VARIABLE = "FLOWYARD_ENDPOINT_HOSTS"

_PURPOSE = Purpose("it is not asked", HOSTS_VARIABLE)
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


class EndpointClient:
    """Asks one endpoint; its connections are kept from request to request. To be used as a context.

    An address that was given is looked up once, checked, and kept to: a second look-up cannot lead elsewhere.
    """

    def __init__(self, address: Address, timeout_s: float) -> None:
        self._address = address
        self._timeout = aiohttp.ClientTimeout(total=timeout_s)
        self._made: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> EndpointClient:
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._made is not None:
            await self._made.close()

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
            session = self._made or await self._session()
            async with session.request(
                method, self._address.url.rstrip("/") + route, data=data, headers=headers, allow_redirects=False
            ) as answer:
                content = await answer.content.read(_LARGEST)
                while not answer.content.at_eof() and len(content) < _LARGEST:
                    content += await answer.content.read(_LARGEST - len(content))
        except (TimeoutError, aiohttp.ClientError, OSError, ValueError) as error:
            raise Unreached(f"{method} {route}: {_said(error)}") from None
        text = content.decode("utf-8", "replace")
        return Answer(answer.status, text, (time.perf_counter() - began) * 1000)

    async def _session(self) -> aiohttp.ClientSession:
        """Raises UserError for a host that may not be asked, and OSError for one that is not known."""
        allowed = self._address.allowed_hosts
        connector = None if allowed is None else await pinned_connector(URL(self._address.url), allowed, _PURPOSE)
        if self._made is None:
            jar = aiohttp.DummyCookieJar()
            self._made = aiohttp.ClientSession(connector=connector, timeout=self._timeout, cookie_jar=jar)
        elif connector is not None:  # another request was quicker
            await connector.close()
        return self._made


def _said(error: Exception) -> str:
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return f"the name {error.host} is not known"
    if isinstance(error, ConnectionRefusedError) or (
        isinstance(error, aiohttp.ClientConnectorError) and isinstance(error.os_error, ConnectionRefusedError)
    ):
        return "nobody listens there"
    return printable_text(str(error)) or type(error).__name__
