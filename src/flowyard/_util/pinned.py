"""HTTP connections to addresses that were checked, and to nothing else.

A proxy is not used even where the environment names one: it would resolve the host again, beyond our check.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from flowyard._util.addresses import is_listed, is_number_host, is_public, parse_address
from flowyard.errors import UserError

__all__ = ["Purpose", "pinned_connector", "shown_url"]


@dataclass(frozen=True, slots=True)
class Purpose:
    """What the requests are for, as a refusal says it, and the variable that lists hosts which are allowed anyway."""

    refusal: str
    variable: str
    shows_path: bool = True
    """Whether the path of the URL may be shown; of some services it is the secret."""


async def pinned_connector(url: URL, listed: Collection[str], purpose: Purpose) -> aiohttp.TCPConnector:
    """A connector that reaches the URL's host only at addresses that are public, or whose host is listed.

    Raises UserError for a host that is not acceptable, and OSError when it is not known. A second look-up cannot lead
    elsewhere, because there is none.
    """
    addresses = await _addresses(url, listed, purpose)
    return aiohttp.TCPConnector(resolver=_Pinned(addresses), use_dns_cache=False)


def shown_url(url: URL) -> str:
    """The URL without user, password, query and fragment, which may hold secrets."""
    return str(url.with_user(None).with_query(None).with_fragment(None))


class _Pinned(AbstractResolver):
    """Answers every question with the addresses that were checked, so that a second look-up cannot differ."""

    def __init__(self, addresses: Sequence[str]) -> None:
        self._addresses = addresses

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=_family(address),
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
            for address in self._addresses
            if family in (socket.AF_UNSPEC, _family(address))
        ]

    async def close(self) -> None:
        """There is nothing to close."""


def _family(address: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in address else socket.AF_INET


async def _addresses(url: URL, listed: Collection[str], purpose: Purpose) -> list[str]:
    """The addresses of the URL's host. Raises UserError unless the host is listed or all of them are public."""
    host, port = url.raw_host or "", url.port or 0
    shown = shown_url(url if purpose.shows_path else url.origin())
    literal = parse_address(host)
    if literal is None and is_number_host(host):
        raise UserError(f"{shown}: the host is an unusual spelling of an IP address.")
    found = [str(literal)] if literal else await _look_up(host, port)
    if is_listed(host, port, listed):
        return found
    # Every address counts: a name with one public and one private address must not lead to the second.
    if not found or not all(_is_public_text(address) for address in found):
        raise UserError(
            f"{shown}: the host {host!r} is not on the public internet, so {purpose.refusal}.",
            hint=f"If that is intended, list the host: {purpose.variable}={host}",
        )
    return found


def _is_public_text(text: str) -> bool:
    address = parse_address(text)
    return address is not None and is_public(address)


async def _look_up(host: str, port: int) -> list[str]:
    try:
        answers = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except UnicodeError:
        raise UserError(f"{host!r} is not a valid host name.") from None
    return list(dict.fromkeys(str(answer[4][0]) for answer in answers))
