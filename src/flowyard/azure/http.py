"""One request to Azure and its whole answer, asked again where that is safe and may help."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit
from uuid import uuid4

from flowyard._util.retry_after import parse_retry_after
from flowyard.azure.errors import AzureError
from flowyard.azure.patience import Patience

if TYPE_CHECKING:
    import aiohttp

__all__ = ["Answer", "AzureHttp", "Call", "Sink", "shown"]

_ASKED_TO_WAIT = frozenset({429, 503})
_MAY_PASS = frozenset({408, 500, 502, 504})
_MOST_BYTES = 256 << 20
_PIECE = 1 << 20


class Sink(Protocol):
    """Where a long answer goes. ``restart`` is called before each attempt."""

    def restart(self) -> None: ...

    def write(self, piece: bytes, /) -> None: ...


@dataclass(frozen=True, slots=True)
class Call:
    """A request. ``repeatable``: doing it twice does the same as once. ``as_json``: an answer that is no JSON is cut.

    ``what`` names it in errors, without a secret.
    """

    method: str
    url: str = field(repr=False)
    what: str
    headers: Mapping[str, str] = field(repr=False)
    content: bytes | None = field(default=None, repr=False)
    repeatable: bool = True
    as_json: bool = True


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer. ``body`` is its JSON, None when it has none; ``attempts`` is how often it was asked for."""

    status: int
    headers: Mapping[str, str]
    content: bytes
    body: Any
    attempts: int

    @property
    def request_id(self) -> str:
        return self.headers.get("x-ms-request-id", "")


class _CutOff(Exception):
    """There was no whole answer; says how."""


class AzureHttp:
    """Sends calls over one session."""

    def __init__(self, session: aiohttp.ClientSession, patience: Patience) -> None:
        self._session = session
        self.patience = patience

    async def send(self, call: Call, sink: Sink | None = None) -> Answer:
        """The answer, whatever its status, after waiting and asking again as the patience allows.

        A refusal for the rate (429, 503) was not carried out, so it is always asked again; a fault only if the call is
        repeatable. Bytes of an answer 2xx go to ``sink`` where there is one. Raises AzureError without a whole answer.
        """
        start, attempt = self.patience.clock(), 1
        while True:
            last = attempt >= self.patience.attempts
            try:
                answer = await self._once(call, attempt, sink)
            except _CutOff as cut:
                if last or not call.repeatable or not await self._wait(start, attempt, None):
                    raise _no_answer(call, str(cut), attempt) from None
            else:
                asked_s = parse_retry_after(answer.headers) if answer.status in _ASKED_TO_WAIT else None
                again = answer.status in _ASKED_TO_WAIT or (call.repeatable and answer.status in _MAY_PASS)
                if last or not again or not await self._wait(start, attempt, asked_s):
                    return answer
            attempt += 1

    async def _wait(self, start: float, attempt: int, asked_s: float | None) -> bool:
        wait_s = self.patience.wait_s(attempt, asked_s)
        if self.patience.clock() - start + wait_s > self.patience.total_s:
            return False
        await self.patience.sleep(wait_s)
        return True

    async def _once(self, call: Call, attempt: int, sink: Sink | None) -> Answer:
        import aiohttp  # noqa: PLC0415 - heavy
        from yarl import URL  # noqa: PLC0415 - comes with aiohttp

        headers = {"x-ms-client-request-id": str(uuid4()), **call.headers}
        url = URL(call.url, encoded=True)  # a signature holds for exactly these bytes
        try:
            async with self._session.request(
                call.method,
                url,
                headers=headers,
                data=None if call.content is None else io.BytesIO(call.content),
                allow_redirects=False,
            ) as response:
                content = await _read(response, sink if response.status < 300 else None)
                status, kept = response.status, response.headers.copy()
        except (aiohttp.ClientSSLError, aiohttp.ClientConnectorCertificateError) as error:
            raise _not_trusted(call, error) from None
        except (aiohttp.ClientError, TimeoutError, ConnectionError) as error:
            raise _CutOff(_how(error)) from None  # from None: its text may hold the URL with its signature
        return Answer(status, kept, content, _json(call, status, content), attempt)


async def _read(response: aiohttp.ClientResponse, sink: Sink | None) -> bytes:
    if sink is not None:
        sink.restart()
        async for piece in response.content.iter_chunked(_PIECE):
            sink.write(piece)
        return b""
    whole = bytearray()
    async for piece in response.content.iter_chunked(_PIECE):
        whole += piece
        if len(whole) > _MOST_BYTES:
            raise _CutOff("is longer than can be read")
    return bytes(whole)


def _json(call: Call, status: int, content: bytes) -> Any:
    if not call.as_json or not content.strip():
        return None
    try:
        return json.loads(content)
    except ValueError:
        if status >= 400:
            return None  # gateways answer errors as pages
        raise _CutOff("is cut off") from None


def shown(url: str) -> str:
    """A URL for people: without its query, which may sign it."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}{parts.path}"


def _how(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "does not come"
    return f"was cut off ({type(error).__name__})"


def _no_answer(call: Call, how: str, attempts: int) -> AzureError:
    tried = "" if attempts == 1 else f" after {attempts} attempts"
    host = urlsplit(call.url).netloc
    unknown = "" if call.repeatable else " Whether it was carried out is not known."
    return AzureError(
        f"The answer of {host} to {call.what} {how}{tried}.{unknown}",
        hint="Check the network and the proxy (HTTPS_PROXY), then run the command again.",
    )


def _not_trusted(call: Call, error: Exception) -> AzureError:
    return AzureError(
        f"{urlsplit(call.url).netloc} has a certificate that is not trusted here ({type(error).__name__}).",
        hint="Behind a proxy that opens TLS, REQUESTS_CA_BUNDLE names the file with its certificate.",
    )
