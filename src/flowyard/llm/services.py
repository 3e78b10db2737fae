"""What code that runs inside a flow may call without being handed it: models by connection, and HTTP.

A node, a prompty in a tool and a sub-flow share these parts, so that all see the same connections, the same simulated
model and the same count of tokens.
"""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from flowyard.abc import Provider
from flowyard.llm.connection import Connection
from flowyard.llm.parameters import read_usage
from flowyard.llm.retry import RetryPolicy
from flowyard.llm.sources import Connections
from flowyard.media.urls import UrlRules
from flowyard.records import ModelReply, ModelRequest, Usage

if TYPE_CHECKING:
    import aiohttp

    from flowyard.llm.http import HttpSessions

__all__ = ["Services", "UsageCount", "count_usage", "current_services", "use_services"]


class UsageCount:
    """Adds up the usage of model calls, from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._total = Usage()

    @property
    def total(self) -> Usage:
        return self._total

    def add(self, usage: Usage) -> None:
        """Count one call."""
        with self._lock:
            self._total += usage


_count: ContextVar[UsageCount | None] = ContextVar("flowyard_usage_count", default=None)
_services: ContextVar[Services | None] = ContextVar("flowyard_services", default=None)


@contextmanager
def count_usage() -> Iterator[UsageCount]:
    """Count the model calls made inside the block, in this context and those copied from it."""
    count = UsageCount()
    token = _count.set(count)
    try:
        yield count
    finally:
        _count.reset(token)


class Services:
    """Connections by name and what is open behind them. Safe to use from several threads and event loops.

    ``urls`` says where pictures may be downloaded from, ``retry`` when a service that is not a model is asked again.
    """

    def __init__(
        self,
        connections: Connections,
        open_provider: Callable[[Connection], Provider],
        *,
        urls: UrlRules | None = None,
        retry: RetryPolicy | None = None,
    ) -> None:
        self.connections = connections
        self.open_provider = open_provider
        self.urls = urls or UrlRules()
        self.retry = retry or RetryPolicy()
        self._providers: dict[str, tuple[Connection, Provider]] = {}
        self._lock = threading.Lock()
        self._http: HttpSessions | None = None

    def provider(self, connection: Connection) -> Provider:
        """The provider behind a connection, opened once. Raises UserError when no model is behind it."""
        name = connection.name or f"{connection.type} {id(connection)}"
        with self._lock:
            found = self._providers.get(name)
            if found is None or found[0] != connection:
                found = self._providers[name] = (connection, self.open_provider(connection))
            return found[1]

    async def call(self, connection: Connection, request: ModelRequest) -> ModelReply:
        """Ask a model and count the usage. Raises ProviderError."""
        reply = await self.provider(connection).call(request)
        count = _count.get()
        if count is not None:
            count.add(reply.usage)
        return reply

    def stream(self, connection: Connection, request: ModelRequest) -> AsyncIterator[Mapping[str, Any]]:
        """Ask a model and yield the answer's chunks; whoever counts now gets the usage when they end."""
        return self._chunks(connection, request, _count.get())

    async def _chunks(
        self, connection: Connection, request: ModelRequest, count: UsageCount | None
    ) -> AsyncIterator[Mapping[str, Any]]:
        usage = Usage(calls=1)
        async for chunk in self.provider(connection).stream(request):
            if chunk.get("usage") or chunk.get("flowyard_simulated"):
                usage = read_usage(chunk)
            yield chunk
        if count is not None:
            count.add(usage)

    def http(self) -> aiohttp.ClientSession:
        """The HTTP session of the running event loop, for services that are not models."""
        if self._http is None:
            from flowyard.llm.http import HttpSessions  # noqa: PLC0415 - heavy, and most flows never need it

            self._http = HttpSessions()
        return self._http.get()

    async def close(self) -> None:
        """Close what was opened. Nothing can be called afterwards."""
        with self._lock:
            providers, self._providers = list(self._providers.values()), {}
        for _, provider in providers:
            await provider.close()
        if self._http is not None:
            await self._http.close()


def current_services() -> Services | None:
    """The services of the flow whose code is running; None outside of flows."""
    return _services.get()


@contextmanager
def use_services(services: Services) -> Iterator[None]:
    """Make these the current services inside the block, in this context and those copied from it."""
    token = _services.set(services)
    try:
        yield
    finally:
        _services.reset(token)
