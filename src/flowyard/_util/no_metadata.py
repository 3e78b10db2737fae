"""HTTP connections to anywhere but a cloud's metadata: for addresses that stand in a person's own connections.

Models may well be in this machine or its network; what a cloud tells its machines, such as their logins, is no model.
"""

from __future__ import annotations

import socket
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from flowyard._util.addresses import is_metadata, is_number_host, parse_address
from flowyard.errors import UserError

__all__ = ["NoMetadataConnector"]


class NoMetadataConnector(aiohttp.TCPConnector):
    """Raises UserError instead of connecting to such an address, however it is spelt and whatever name leads there."""

    def __init__(self, **options: Any) -> None:
        super().__init__(resolver=_Resolver(), **options)

    async def connect(self, req: aiohttp.ClientRequest, *more: Any, **named: Any) -> Any:
        """See TCPConnector. A host that is an address is looked at here, because it is never resolved."""
        host = req.url.raw_host or ""
        if parse_address(host.partition("%")[0]) is None and is_number_host(host):
            raise UserError(f"{host} is an unusual spelling of an IP address, so nothing is sent there.")
        _require_none(host)
        return await super().connect(req, *more, **named)


class _Resolver(AbstractResolver):
    def __init__(self) -> None:
        self._inner = aiohttp.DefaultResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await self._inner.resolve(host, port, family)
        for each in found:
            _require_none(each["host"])
        return found

    async def close(self) -> None:
        await self._inner.close()


def _require_none(host: str) -> None:
    address = parse_address(host.partition("%")[0])
    if address is not None and is_metadata(address):
        raise UserError(f"{host} is where a cloud tells its machines their secrets, so nothing is sent there.")
