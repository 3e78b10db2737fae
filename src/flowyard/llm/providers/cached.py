"""A provider that answers from what it was told before."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import aclosing, contextmanager
from typing import Any

from flowyard._util.redact import secrets_among
from flowyard.abc import Provider
from flowyard.llm.cache.answer_form import KeptAnswer, cached_chunks, cached_reply
from flowyard.llm.cache.answer_key import connection_identity, digest, request_text
from flowyard.llm.cache.flights import Flights
from flowyard.llm.cache.kept_file import open_kept
from flowyard.llm.cache.rules import CacheRules
from flowyard.llm.call_place import current_place
from flowyard.llm.connection import Connection
from flowyard.records import ModelReply, ModelRequest

__all__ = ["CachedProvider"]


class CachedProvider(Provider):
    """Keeps whole answers of ``inner`` and gives them again to the same request.

    Only calls inside a line are kept: outside of one nothing tells a second sample from a repetition.
    """

    def __init__(self, inner: Provider, connection: Connection, rules: CacheRules) -> None:
        self._inner = inner
        self._rules = rules
        self._identity = connection_identity(connection)
        self._secrets = connection.secret_values()
        self._flights = Flights()
        self._file = open_kept(rules.file, rules.most_bytes)

    async def call(self, request: ModelRequest) -> ModelReply:
        with self._key(request, stream=False) as key:
            if key is None:
                return await self._inner.call(request)
            if self._rules.mode == "refresh":
                return (await self._ask(key, request))[0]
            while True:
                found = self._find(key)
                if found is not None and found.body is not None:
                    return cached_reply(found)
                with self._flights.started(key) as (flight, is_ours):
                    if is_ours:
                        reply, flight.answer = await self._ask(key, request)
                        return reply
                    found = await flight.wait()
                if found is not None:
                    return cached_reply(found)

    async def stream(self, request: ModelRequest) -> AsyncIterator[Mapping[str, Any]]:
        with self._key(request, stream=True) as key:
            found = self._find(key)
            if found is not None and found.body is None:
                for chunk in cached_chunks(found):
                    yield chunk
                return
            chunks: list[Mapping[str, Any]] = []
            async with aclosing(self._inner.stream(request)) as pieces:  # type: ignore[type-var]
                async for piece in pieces:
                    chunks.append(piece)
                    yield piece
            if key is not None:
                self._keep(key, request, KeptAnswer.from_chunks(chunks))

    async def close(self) -> None:
        self._file.close()
        await self._inner.close()

    @contextmanager
    def _key(self, request: ModelRequest, *, stream: bool) -> Iterator[bytes | None]:
        """The key of this call while it lasts; None when it is neither looked up nor kept."""
        place = current_place()
        text = request_text(request, stream=stream)
        if place.line is None or text is None or not place.keeps or self._rules.off.intersection(place.nodes):
            yield None
            return
        call = digest(self._identity, text)
        with place.line.numbered(f"cache {call.hex()}") as number:
            yield digest(call.hex(), number)

    def _find(self, key: bytes | None) -> KeptAnswer | None:
        if key is None or self._rules.mode == "refresh":
            return None
        data = self._file.get(key)
        return None if data is None else KeptAnswer.from_bytes(data)

    async def _ask(self, key: bytes, request: ModelRequest) -> tuple[ModelReply, KeptAnswer]:
        reply = await self._inner.call(request)
        answer = KeptAnswer.from_reply(reply)
        self._keep(key, request, answer)
        return reply, answer

    def _keep(self, key: bytes, request: ModelRequest, answer: KeptAnswer) -> None:
        if answer.without([*self._secrets, *secrets_among(request.headers)]) != answer:
            return  # it repeats a secret: with that hidden, it would not be the answer any more
        self._file.put(key, answer.to_bytes(), request.model or "(one model)")
