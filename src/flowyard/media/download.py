"""Pictures from the network, from addresses that were checked and to which the connection is pinned.

A proxy is not used even where the environment names one: it would resolve the host again, beyond our check.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from flowyard.errors import OutsideError, UserError
from flowyard.media.signatures import guess_mime
from flowyard.media.urls import UrlRules, is_number_host, is_public, parse_address

__all__ = ["download_picture"]

_MOST_REDIRECTS = 3
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_HEADERS = {"Accept": "image/*", "Accept-Encoding": "identity", "User-Agent": "flowyard"}
_UNTOLD_TYPES = frozenset({"", "application/octet-stream", "binary/octet-stream"})
_CHUNK = 64 * 1024


async def download_picture(url: str, rules: UrlRules) -> tuple[bytes, str | None]:
    """The bytes at an http or https URL, and the picture type that the server told, if it told one.

    Raises UserError when the URL, a host on its way or what is there is not acceptable, and OutsideError when the
    server cannot be reached, fails or is too slow.
    """
    start = _parse(url)
    try:
        async with asyncio.timeout(rules.timeout_s):
            return await _follow(start, rules)
    except TimeoutError:
        raise OutsideError(f"{_shown(start)} did not answer completely within {rules.timeout_s:g} seconds.") from None
    except (aiohttp.ClientError, OSError) as error:
        reason = str(error) if isinstance(error, OSError) else type(error).__name__
        raise OutsideError(f"{_shown(start)} could not be downloaded: {reason}") from None


async def _follow(url: URL, rules: UrlRules) -> tuple[bytes, str | None]:
    for _ in range(_MOST_REDIRECTS + 1):
        async with _open(url, rules) as response:
            if response.status not in _REDIRECTS or "Location" not in response.headers:
                return await _read(url, response, rules)
            url = _next_hop(url, response.headers["Location"])
    raise UserError(f"{_shown(url)} is redirected more than {_MOST_REDIRECTS} times.")


@asynccontextmanager
async def _open(url: URL, rules: UrlRules) -> AsyncIterator[aiohttp.ClientResponse]:
    """The response of one hop, its body unread, from an address that was checked."""
    connector = aiohttp.TCPConnector(resolver=_Pinned(await _addresses(url, rules)), use_dns_cache=False)
    session = aiohttp.ClientSession(
        connector=connector, cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=False, trust_env=False
    )
    async with session, session.get(url, headers=_HEADERS, allow_redirects=False) as response:
        yield response


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


def _parse(text: str) -> URL:
    try:
        url = URL(text.strip())
        acceptable = url.scheme in ("http", "https") and bool(url.raw_host) and url.port is not None
    except ValueError:
        acceptable = False
    if not acceptable:
        raise UserError("a picture's URL must be a complete http or https address.")
    return url


def _next_hop(url: URL, location: str) -> URL:
    try:
        return _parse(str(url.join(URL(location))))
    except (UserError, ValueError):
        raise UserError(f"{_shown(url)} redirects to something that is no http or https address.") from None


async def _addresses(url: URL, rules: UrlRules) -> list[str]:
    """The addresses of the URL's host. Raises UserError unless the host is listed or all of them are public."""
    host, port = url.raw_host or "", url.port or 0
    literal = parse_address(host)
    if literal is None and is_number_host(host):
        raise UserError(f"{_shown(url)}: the host is an unusual spelling of an IP address.")
    found = [str(literal)] if literal else await _look_up(host, port)
    if rules.allows(host, port):
        return found
    # Every address counts: a name with one public and one private address must not lead to the second.
    if not found or not all(_is_public_text(address) for address in found):
        raise UserError(
            f"{_shown(url)}: the host {host!r} is not on the public internet, so nothing is downloaded from it.",
            hint=f"If that is intended, list the host: FLOWYARD_IMAGE_HOSTS={host}",
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


async def _read(url: URL, response: aiohttp.ClientResponse, rules: UrlRules) -> tuple[bytes, str | None]:
    if response.status != 200:
        failed = f"{_shown(url)} answered with status {response.status}."
        raise OutsideError(failed) if response.status >= 500 or response.status == 429 else UserError(failed)
    if response.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise UserError(f"{_shown(url)} sends its picture compressed although it was asked not to.")
    told = response.content_type.lower() if "Content-Type" in response.headers else ""
    if not told.startswith("image/") and told not in _UNTOLD_TYPES:
        raise UserError(f"{_shown(url)} is of type {told}, not a picture.")
    data = await _read_body(url, response, rules)
    if told in _UNTOLD_TYPES and guess_mime(data) is None:
        raise UserError(f"{_shown(url)} is not a picture of a known kind.")
    return data, told if told not in _UNTOLD_TYPES else None


async def _read_body(url: URL, response: aiohttp.ClientResponse, rules: UrlRules) -> bytes:
    too_large = UserError(f"{_shown(url)} is larger than the limit of {rules.max_bytes} bytes.")
    if (response.content_length or 0) > rules.max_bytes:
        raise too_large
    data = bytearray()
    async for chunk in response.content.iter_chunked(_CHUNK):
        data += chunk
        if len(data) > rules.max_bytes:
            raise too_large
    return bytes(data)


def _shown(url: URL) -> str:
    """The URL without user, password, query and fragment, which may hold secrets."""
    return str(url.with_user(None).with_query(None).with_fragment(None))
