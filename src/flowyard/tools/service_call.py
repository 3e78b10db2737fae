"""Calls of HTTP services that are not models: one way to ask, to ask again, and to say what went wrong."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from yarl import URL

from flowyard._util.retry_after import parse_retry_after
from flowyard.errors import ProviderError, UserError
from flowyard.llm.connection import Connection
from flowyard.llm.retry import call_with_retries, is_retryable
from flowyard.llm.services import Services

__all__ = ["ServiceRequest", "address_of", "ask_service", "secret_of"]

_CONNECT_S = 30.0
_MOST_BYTES = 64 * 1024 * 1024
_CHUNK = 64 * 1024
_SHOWN_LENGTH = 500


@dataclass(frozen=True, slots=True)
class ServiceRequest:
    """One request: ``service`` is what errors call the service behind ``connection``.

    ``timeout_s`` holds for one attempt.
    """

    service: str
    connection: Connection
    url: str
    method: str = "POST"
    params: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    timeout_s: float = 120.0

    @property
    def label(self) -> str:
        """The service and its connection, for sentences."""
        return f"{self.service} (connection {self.connection.name!r})"


async def ask_service(services: Services, request: ServiceRequest) -> Any:
    """The JSON that the service answers, asked again when that may help.

    Redirects are not followed, because the request holds a key. Raises ProviderError with the status and the
    connection's name; no secret of the connection is ever in its message.
    """
    answer, _ = await call_with_retries(services.retry, lambda: _ask_once(services, request))
    return answer


def address_of(connection: Connection, field_name: str) -> str:
    """The address in a field of the connection, without a slash at its end. Raises UserError when it is none."""
    text = str(connection.get(field_name) or "").strip().rstrip("/")
    if not text.startswith(("http://", "https://")):
        raise UserError(
            f"Connection {connection.name!r} ({connection.type}) needs the address of its service as {field_name!r}.",
            hint=f"Set {field_name}: https://…",
        )
    return text


def secret_of(connection: Connection, field_name: str = "api_key") -> str:
    """A secret of the connection, fit for a header. Raises UserError when it is missing or cannot be one."""
    text = str(connection.get(field_name) or "")
    if not text:
        raise UserError(f"Connection {connection.name!r} ({connection.type}) has no {field_name}.")
    if not (text.isascii() and text.isprintable()):
        raise UserError(f"The {field_name} of connection {connection.name!r} has characters no key can have.")
    return text


async def _ask_once(services: Services, request: ServiceRequest) -> Any:
    limits = aiohttp.ClientTimeout(total=request.timeout_s, sock_connect=_CONNECT_S)
    body = None if request.body is None else json.dumps(request.body, ensure_ascii=False).encode("utf-8", "replace")
    headers = {**({} if body is None else {"Content-Type": "application/json"}), **request.headers}
    try:
        async with services.http().request(
            request.method,
            URL(request.url, encoded=True),
            params=dict(request.params),
            data=body,
            headers=headers,
            timeout=limits,
            allow_redirects=False,
        ) as response:
            text = await _read(response, request)
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise _unreachable(request, error) from None
    if not 200 <= response.status < 300:
        raise _refused(request, response, text)
    try:
        return json.loads(text)
    except ValueError:
        raise ProviderError(f"{request.label} did not answer with JSON.", status=response.status) from None


async def _read(response: aiohttp.ClientResponse, request: ServiceRequest) -> str:
    data = bytearray()
    async for chunk in response.content.iter_chunked(_CHUNK):
        data += chunk
        if len(data) > _MOST_BYTES:
            raise ProviderError(f"{request.label} answered with more than {_MOST_BYTES} bytes.", status=response.status)
    return data.decode("utf-8", "replace")


def _refused(request: ServiceRequest, response: aiohttp.ClientResponse, text: str) -> ProviderError:
    status = response.status
    said = _shortened(_message_in(text)) or response.reason or "no reason"
    hints = {401: "api_key", 403: "api_key", 404: "address and the names in the node's inputs"}
    return ProviderError(
        request.connection.redact(f"{request.label} answered {status}: {said}"),
        status=status,
        retry_after_s=parse_retry_after(response.headers),
        retryable=is_retryable(status),
        hint=f"Check the {hints[status]} of connection {request.connection.name!r}." if status in hints else None,
    )


def _message_in(text: str) -> str:
    """What a service says went wrong; services differ in where they say it."""
    try:
        body = json.loads(text)
    except ValueError:
        return text
    while isinstance(body, dict):
        inner = next((body[key] for key in ("error", "message", "detail", "status") if body.get(key)), None)
        if inner is None:
            return json.dumps(body, ensure_ascii=False)
        body = inner
    return body if isinstance(body, str) else json.dumps(body, ensure_ascii=False)


def _shortened(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _SHOWN_LENGTH else f"{line[: _SHOWN_LENGTH - 1]}…"


def _unreachable(request: ServiceRequest, error: Exception) -> ProviderError:
    said = "it did not answer in time" if isinstance(error, TimeoutError) else str(error) or type(error).__name__
    hopeless = isinstance(error, aiohttp.InvalidURL | aiohttp.ClientConnectorCertificateError)
    message = request.connection.redact(f"{request.label} cannot be reached: {said}.")
    return ProviderError(message, retryable=not hopeless)
