"""The OpenAI wire protocol over HTTP: OpenAI, Azure OpenAI, serverless endpoints and compatible servers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from typing import Any
from urllib.parse import quote

import aiohttp
from yarl import URL

from flowyard._util.retry_after import parse_retry_after
from flowyard.abc import Provider
from flowyard.errors import ProviderError, UserError
from flowyard.llm.connection import TOKEN_AUTH, AzureOpenAIConnection, Connection, ServerlessConnection
from flowyard.llm.http import HttpSessions
from flowyard.llm.parameters import NOTED_USAGE, read_usage
from flowyard.llm.providers.sse import iter_events
from flowyard.llm.retry import is_retryable
from flowyard.records import ModelReply, ModelRequest

__all__ = ["SIMULATED_HEADER", "OpenAIWireProvider"]

SIMULATED_HEADER = "x-flowyard-simulated"
"""A response with this header was made up by the simulator's server."""

_PATHS = {"chat": "chat/completions", "completion": "completions", "embedding": "embeddings"}
_OPENAI = "https://api.openai.com/v1"
_CONNECT_S, _SILENCE_S, _WHOLE_CALL_S = 30.0, 300.0, 600.0


class OpenAIWireProvider(Provider):
    """One endpoint, asked once a call. It keeps one HTTP session per event loop and trusts the proxy environment."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._sessions = HttpSessions()

    async def call(self, request: ModelRequest) -> ModelReply:
        limits = aiohttp.ClientTimeout(total=request.timeout_s or _WHOLE_CALL_S, sock_connect=_CONNECT_S)
        response = await self._post(request, {}, limits)
        try:
            body = json.loads(await response.read())
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise self._unreachable(error) from None
        except ValueError:
            raise ProviderError("The model endpoint did not answer with JSON.", status=response.status) from None
        finally:
            response.release()
        if not isinstance(body, dict):
            raise ProviderError("The model endpoint did not answer with a JSON object.", status=response.status)
        body.pop(NOTED_USAGE, None)
        return ModelReply(body, read_usage(body, simulated=SIMULATED_HEADER in response.headers))

    async def stream(self, request: ModelRequest) -> AsyncIterator[Mapping[str, Any]]:
        response = await self._open_stream(request)
        simulated = SIMULATED_HEADER in response.headers
        finished = False
        try:
            async for event in iter_events(response.content):
                if event == "[DONE]":
                    finished = True
                    break
                chunk = self._chunk(event)
                finished = finished or any(choice.get("finish_reason") for choice in chunk.get("choices") or ())
                yield {**chunk, "flowyard_simulated": True} if simulated else chunk
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise ProviderError(f"The model's answer was cut off: {self._say(error)}.", retryable=True) from None
        finally:
            response.release()
        if not finished:
            raise ProviderError(
                "The model's answer was cut off: the stream ended before it was finished.", retryable=True
            )

    async def close(self) -> None:
        await self._sessions.close()

    async def _open_stream(self, request: ModelRequest) -> aiohttp.ClientResponse:
        limits = aiohttp.ClientTimeout(total=request.timeout_s, sock_connect=_CONNECT_S, sock_read=_SILENCE_S)
        plain: dict[str, Any] = {"stream": True}
        try:
            extra = {**plain, "stream_options": {"include_usage": True}}
            return await self._post(request, extra, limits)
        except ProviderError as error:
            # Older API versions refuse the option; the answer then comes without usage.
            if error.status != 400 or "stream_options" not in error.message:
                raise
            return await self._post(request, plain, limits)

    async def _post(
        self, request: ModelRequest, extra: Mapping[str, Any], limits: aiohttp.ClientTimeout
    ) -> aiohttp.ClientResponse:
        """The response to one attempt, its body unread. Raises ProviderError for any status but success."""
        body = {**request.body, **extra, **({"model": request.model} if request.model else {})}
        headers = {**request.headers, **await self._headers()}
        try:
            response = await self._sessions.get().post(
                self._url(request), data=_json_bytes(body), headers=headers, timeout=limits, allow_redirects=False
            )
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise self._unreachable(error) from None
        if response.status != 200:
            raise await self._refused(response)
        return response

    def _url(self, request: ModelRequest) -> URL:
        path = _PATHS[request.operation]
        connection = self._connection
        if isinstance(connection, AzureOpenAIConnection):
            base = str(connection.api_base).rstrip("/")
            version = quote(str(connection.api_version), safe="")
            place = f"{base}/openai/deployments/{quote(request.model, safe='')}/{path}?api-version={version}"
        elif isinstance(connection, ServerlessConnection):
            place = f"{str(connection.api_base).rstrip('/').removesuffix('/v1')}/v1/{path}"
        else:
            place = f"{str(connection.get('base_url') or _OPENAI).rstrip('/')}/{path}"
        return URL(place, encoded=True)

    async def _headers(self) -> dict[str, str]:
        connection = self._connection
        headers = {"Content-Type": "application/json"}
        if connection.get("organization"):
            headers["OpenAI-Organization"] = str(connection.organization)
        if isinstance(connection, AzureOpenAIConnection):
            if connection.auth_mode == TOKEN_AUTH:
                token = await asyncio.to_thread(connection.get_token)
                return {**headers, "Authorization": f"Bearer {token}"}
            return {**headers, "api-key": self._key()}
        return {**headers, "Authorization": f"Bearer {self._key()}"} if connection.get("api_key") else headers

    def _key(self) -> str:
        key = str(self._connection.api_key)
        if not (key.isascii() and key.isprintable()):
            raise UserError(f"The api_key of connection {self._connection.name!r} has characters no key can have.")
        return key

    def _chunk(self, event: str) -> dict[str, Any]:
        try:
            chunk = json.loads(event)
        except ValueError:
            chunk = None
        if not isinstance(chunk, dict):
            raise ProviderError("The model's answer was cut off: a part of the stream is not JSON.", retryable=True)
        if chunk.get("error"):
            message, _ = _error_text(chunk)
            raise ProviderError(f"The model's answer was cut off: {self._connection.redact(message)}", retryable=True)
        chunk.pop(NOTED_USAGE, None)
        return chunk

    async def _refused(self, response: aiohttp.ClientResponse) -> ProviderError:
        try:
            text = (await response.read()).decode("utf-8", "replace")
        except (aiohttp.ClientError, TimeoutError, OSError):
            text = ""
        finally:
            response.release()
        message, code = _error_text(_json_or_text(text))
        status = response.status
        return ProviderError(
            self._connection.redact(
                f"The model endpoint answered {status}: {message or response.reason or 'no reason'}"
            ),
            status=status,
            retry_after_s=parse_retry_after(response.headers),
            retryable=is_retryable(status, code),
            hint=self._hint(status),
        )

    def _hint(self, status: int) -> str | None:
        if status in (401, 403):
            return f"Check the api_key of connection {self._connection.name!r}."
        return "Check the address of the connection and the name of the model." if status == 404 else None

    def _unreachable(self, error: Exception) -> ProviderError:
        hopeless = isinstance(error, aiohttp.InvalidURL | aiohttp.ClientConnectorCertificateError)
        return ProviderError(f"The model endpoint cannot be reached: {self._say(error)}.", retryable=not hopeless)

    def _say(self, error: Exception) -> str:
        text = "it did not answer in time" if isinstance(error, TimeoutError) else str(error) or type(error).__name__
        return self._connection.redact(text)


def _json_bytes(body: Mapping[str, Any]) -> bytes:
    try:
        return json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")
    except TypeError as error:
        raise UserError(f"A value in the model request is not JSON: {error}.") from None


def _json_or_text(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _error_text(body: Any) -> tuple[str, str | None]:
    """The server's message and error code; servers differ in where they put them."""
    error = body.get("error", body) if isinstance(body, dict) else body
    if isinstance(error, dict):
        code = error.get("code") or error.get("type")
        message = error.get("message") or error.get("detail") or json.dumps(error, ensure_ascii=False)
        return str(message)[:2000], "insufficient_quota" if error.get("type") == "insufficient_quota" else str(code)
    return str(error).strip()[:2000], None
