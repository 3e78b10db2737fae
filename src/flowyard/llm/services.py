"""What code that runs inside a flow may call without being handed it: models by connection, and HTTP.

A node, a prompty in a tool and a sub-flow share these parts, so that all see the same connections, the same simulated
model and the same count of tokens.
"""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Callable, Hashable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar, Token
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from flowyard._util.inheritance import inherited
from flowyard._util.redact import secrets_among
from flowyard.abc import Provider
from flowyard.errors import ProviderError
from flowyard.llm.call_log import begin_call
from flowyard.llm.connection import Connection
from flowyard.llm.connections import Connections
from flowyard.llm.parameters import read_usage
from flowyard.llm.retry import RetryPolicy
from flowyard.llm.sent_prompt import sent_prompt
from flowyard.media.urls import UrlRules
from flowyard.records import NO_USAGE, ModelReply, ModelRequest, Usage

if TYPE_CHECKING:
    import aiohttp

    from flowyard.llm.http import HttpSessions

__all__ = [
    "Services",
    "UsageCount",
    "begin_services",
    "count_usage",
    "current_services",
    "end_services",
    "note_usage",
    "use_services",
]


class UsageCount:
    """Adds up the usage of model calls, from any thread. ``ended`` says that nobody looks at it any more.

    ``prompts`` are the first few that were sent; a call that is asked again by an endpoint's rules is one of them.
    """

    def __init__(self) -> None:
        self.ended = False
        self.prompts: tuple[str, ...] = ()
        self._lock = threading.Lock()
        self._total = NO_USAGE

    @property
    def total(self) -> Usage:
        return self._total

    def add(self, usage: Usage) -> None:
        """Count one call."""
        with self._lock:
            self._total += usage

    def note_prompt(self, request: ModelRequest) -> None:
        """Remember what is asked, unless enough is."""
        if len(self.prompts) < _MOST_PROMPTS and (text := sent_prompt(request)):
            self.prompts += (text,)


_MOST_PROMPTS = 8
_NOTHING = Usage()
_count: ContextVar[UsageCount | None] = ContextVar("flowyard_usage_count", default=None)
_services: ContextVar[Services | None] = inherited("flowyard_services")


class count_usage:  # noqa: N801 - a context manager, written as a class because every node enters one
    """Count the model calls made inside the block, in this context and those copied from it."""

    __slots__ = ("_counting", "_token")

    def __enter__(self) -> UsageCount:
        self._counting = UsageCount()
        self._token = _count.set(self._counting)
        return self._counting

    def __exit__(self, *_: object) -> None:
        self._counting.ended = True
        _count.reset(self._token)


def note_usage(usage: Usage) -> None:
    """Count model calls that were made apart, such as a sub-flow's."""
    count = _count.get()
    if count is not None:
        count.add(usage)


class Closable(Protocol):
    """What can be closed, from any event loop."""

    async def close(self) -> None:
        """Close it; safe to call again."""


Shared = TypeVar("Shared", bound=Closable)


class Services:
    """Connections by name and what is open behind them. Safe to use from several threads and event loops.

    ``spent`` counts every model call that has ended, streams included, and ``unclaimed`` those that nobody else counts:
    of threads that flow code starts by itself. ``urls`` says where pictures may be downloaded from,
    ``retry`` when a service that is not a model is asked again.
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
        self.spent = UsageCount()
        self.unclaimed = UsageCount()
        self._providers: dict[str, Provider] = {}
        self._lock = threading.Lock()
        self._http: HttpSessions | None = None
        self._shared: dict[Hashable, Any] = {}

    def provider(self, connection: Connection) -> Provider:
        """The provider behind a connection, opened once. Raises UserError when no model is behind it."""
        same = repr([connection.type, connection.name, connection.configs, connection.secrets])
        with self._lock:
            found = self._providers.get(same)
            if found is None:
                found = self._providers[same] = self.open_provider(connection)
            return found

    async def call(self, connection: Connection, request: ModelRequest) -> ModelReply:
        """Ask a model and count the usage. Raises ProviderError."""
        self.connections.hide(secrets_among(request.headers))
        if (asking := self._count()) is not self.unclaimed:
            asking.note_prompt(request)
        noted = begin_call(connection, request)
        try:
            reply = await self.provider(connection).call(request)
        except BaseException as error:
            if noted is not None:
                noted.ended(_NOTHING, error=error)
            if isinstance(error, ProviderError):
                self._note(self._count(), Usage(refused_calls=error.refused_calls))
            raise
        if noted is not None:
            noted.ended(reply.usage, reply.body)
        self._note(self._count(), reply.usage)
        return reply

    def stream(self, connection: Connection, request: ModelRequest) -> AsyncIterator[Mapping[str, Any]]:
        """Ask a model and yield the answer's chunks.

        Whoever counts now gets the usage when they end; when that is over by then, whoever counts while they are read.
        """
        self.connections.hide(secrets_among(request.headers))
        if (asking := self._count()) is not self.unclaimed:
            asking.note_prompt(request)
        return self._chunks(connection, request, self._count())

    async def _chunks(
        self, connection: Connection, request: ModelRequest, count: UsageCount
    ) -> AsyncIterator[Mapping[str, Any]]:
        usage, failure = Usage(), None
        noted = begin_call(connection, request)
        try:
            async for chunk in self.provider(connection).stream(request):
                usage = read_usage(chunk) if chunk.get("usage") or usage == Usage() else usage
                if noted is not None:
                    noted.heard(chunk)
                yield chunk
        except BaseException as error:
            failure = error
            if isinstance(error, ProviderError):
                usage = replace(usage, refused_calls=max(usage.refused_calls, error.refused_calls))
            raise
        finally:  # an answer that is read in part has been paid for too
            if noted is not None:
                noted.ended(usage, error=failure)
            self._note(self._count() if count.ended else count, usage)

    def _note(self, count: UsageCount, usage: Usage) -> None:
        if usage != _NOTHING:
            count.add(usage)
            self.spent.add(usage)

    def _count(self) -> UsageCount:
        count = _count.get()
        return self.unclaimed if count is None or count.ended else count

    def http(self) -> aiohttp.ClientSession:
        """The HTTP session of the running event loop, for services that are not models."""
        if self._http is None:
            from flowyard.llm.http import HttpSessions  # noqa: PLC0415 - heavy, and most flows never need it

            self._http = HttpSessions()
        return self._http.get()

    def shared(self, key: Hashable, make: Callable[[], Shared]) -> Shared:
        """What all code of the flow shares under a key, such as a sub-flow: made once, closed with these services."""
        with self._lock:
            if key not in self._shared:
                self._shared[key] = make()
            found: Shared = self._shared[key]
            return found

    async def close(self) -> None:
        """Close what was opened. Nothing can be called afterwards."""
        with self._lock:
            providers, self._providers = list(self._providers.values()), {}
            shared, self._shared = list(self._shared.values()), {}
        for each in shared:
            await each.close()
        for provider in providers:
            await provider.close()
        if self._http is not None:
            await self._http.close()


def current_services() -> Services | None:
    """The services of the flow whose code is running, also in threads that it started; None outside of flows."""
    return _services.get()


def begin_services(services: Services) -> Token[Services | None]:
    """The same as ``use_services`` for those who do so very often; ends with ``end_services``."""
    return _services.set(services)


def end_services(token: Token[Services | None]) -> None:
    """End what ``begin_services`` began."""
    _services.reset(token)


@contextmanager
def use_services(services: Services) -> Iterator[None]:
    """Make these the current services inside the block, in this context and those copied from it."""
    token = _services.set(services)
    try:
        yield
    finally:
        _services.reset(token)
