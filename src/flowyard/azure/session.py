"""HTTP sessions for Azure: over TLS, with the certificates that ``az`` would trust, following no redirect."""

from __future__ import annotations

import functools
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.request import getproxies

from flowyard.azure.cloud import AzureCloud
from flowyard.azure.http import AzureHttp
from flowyard.azure.patience import Patience
from flowyard.errors import UserError

__all__ = ["open_http", "trusted_certificates"]

_AT_ONCE = 16
_CONNECT_S = 60.0
_SILENCE_S = 120.0


@asynccontextmanager
async def open_http(cloud: AzureCloud, patience: Patience | None = None) -> AsyncIterator[AzureHttp]:
    """Requests to Azure until the context ends, on the running loop. Raises UserError for an unreadable CA file."""
    import aiohttp  # noqa: PLC0415 - heavy

    connector = aiohttp.TCPConnector(limit=_AT_ONCE, ssl=trusted_certificates(cloud.ca_file))
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_S, sock_read=_SILENCE_S)
    async with aiohttp.ClientSession(
        connector=connector, cookie_jar=aiohttp.DummyCookieJar(), timeout=timeout, trust_env=bool(getproxies())
    ) as session:
        yield AzureHttp(session, patience or Patience())


@functools.cache
def trusted_certificates(ca_file: str | None) -> ssl.SSLContext:
    """The machine's certificates, or those of the file. Raises UserError when it cannot be read."""
    try:
        return ssl.create_default_context(cafile=ca_file)
    except (OSError, ssl.SSLError):
        raise UserError(
            f"The certificates in {ca_file} cannot be read.", hint="REQUESTS_CA_BUNDLE or SSL_CERT_FILE names them."
        ) from None
