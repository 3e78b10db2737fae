"""Pictures from the network, from addresses that were checked and to which the connection is pinned.

A proxy is not used even where the environment names one: it would resolve the host again, beyond our check.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
from yarl import URL

from flowyard._util.pinned import Purpose, pinned_connector, shown_url
from flowyard.errors import OutsideError, UserError
from flowyard.media.signatures import guess_mime
from flowyard.media.urls import UrlRules

__all__ = ["download_picture"]

_MOST_REDIRECTS = 3
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_HEADERS = {"Accept": "image/*", "Accept-Encoding": "identity", "User-Agent": "flowyard"}
_UNTOLD_TYPES = frozenset({"", "application/octet-stream", "binary/octet-stream"})
_PURPOSE = Purpose("nothing is downloaded from it", "FLOWYARD_IMAGE_HOSTS")
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
        raise OutsideError(
            f"{shown_url(start)} did not answer completely within {rules.timeout_s:g} seconds."
        ) from None
    except (aiohttp.ClientError, OSError) as error:
        reason = str(error) if isinstance(error, OSError) else type(error).__name__
        raise OutsideError(f"{shown_url(start)} could not be downloaded: {reason}") from None


async def _follow(url: URL, rules: UrlRules) -> tuple[bytes, str | None]:
    for _ in range(_MOST_REDIRECTS + 1):
        async with _open(url, rules) as response:
            if response.status not in _REDIRECTS or "Location" not in response.headers:
                return await _read(url, response, rules)
            url = _next_hop(url, response.headers["Location"])
    raise UserError(f"{shown_url(url)} is redirected more than {_MOST_REDIRECTS} times.")


@asynccontextmanager
async def _open(url: URL, rules: UrlRules) -> AsyncIterator[aiohttp.ClientResponse]:
    """The response of one hop, its body unread, from an address that was checked."""
    connector = await pinned_connector(url, rules.allowed_hosts, _PURPOSE)
    session = aiohttp.ClientSession(
        connector=connector, cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=False, trust_env=False
    )
    async with session, session.get(url, headers=_HEADERS, allow_redirects=False) as response:
        yield response


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
        raise UserError(f"{shown_url(url)} redirects to something that is no http or https address.") from None


async def _read(url: URL, response: aiohttp.ClientResponse, rules: UrlRules) -> tuple[bytes, str | None]:
    if response.status != 200:
        failed = f"{shown_url(url)} answered with status {response.status}."
        raise OutsideError(failed) if response.status >= 500 or response.status == 429 else UserError(failed)
    if response.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise UserError(f"{shown_url(url)} sends its picture compressed although it was asked not to.")
    told = response.content_type.lower() if "Content-Type" in response.headers else ""
    if not told.startswith("image/") and told not in _UNTOLD_TYPES:
        raise UserError(f"{shown_url(url)} is of type {told}, not a picture.")
    data = await _read_body(url, response, rules)
    if told in _UNTOLD_TYPES and guess_mime(data) is None:
        raise UserError(f"{shown_url(url)} is not a picture of a known kind.")
    return data, told if told not in _UNTOLD_TYPES else None


async def _read_body(url: URL, response: aiohttp.ClientResponse, rules: UrlRules) -> bytes:
    too_large = UserError(f"{shown_url(url)} is larger than the limit of {rules.max_bytes} bytes.")
    if (response.content_length or 0) > rules.max_bytes:
        raise too_large
    data = bytearray()
    async for chunk in response.content.iter_chunked(_CHUNK):
        data += chunk
        if len(data) > rules.max_bytes:
            raise too_large
    return bytes(data)
