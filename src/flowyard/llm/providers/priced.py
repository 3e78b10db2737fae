"""A provider whose usage says what the calls cost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing
from dataclasses import replace
from typing import Any

from flowyard.abc import Provider
from flowyard.llm.parameters import note_in_chunk, read_usage
from flowyard.llm.prices import Prices
from flowyard.records import ModelReply, ModelRequest

__all__ = ["PricedProvider"]

_ALL_ASKED_S = 0.05
"""When the first calls have been sent and everybody waits for a model."""


class PricedProvider(Provider):
    """Puts the prices to what ``inner`` used. They are read while the first answers are waited for."""

    def __init__(self, inner: Provider, prices: Prices) -> None:
        self._inner = inner
        self._prices = prices
        self._is_first = True

    async def call(self, request: ModelRequest) -> ModelReply:
        if self._is_first:
            self._is_first = False
            asyncio.get_running_loop().call_later(_ALL_ASKED_S, self._prices.read_ahead)
        reply = await self._inner.call(request)
        return replace(reply, usage=self._prices.priced(reply.usage, request.model, reply.body))

    async def stream(self, request: ModelRequest) -> AsyncIterator[Mapping[str, Any]]:
        is_first = True
        async with aclosing(self._inner.stream(request)) as chunks:  # type: ignore[type-var]
            async for chunk in chunks:
                yield self._noted(request, chunk) if is_first or chunk.get("usage") else chunk
                is_first = False

    async def close(self) -> None:
        await self._inner.close()

    def _noted(self, request: ModelRequest, chunk: Mapping[str, Any]) -> Mapping[str, Any]:
        before = read_usage(chunk)
        usage = self._prices.priced(before, request.model, chunk)
        if usage == before:
            return chunk
        return note_in_chunk(
            chunk,
            {"cost_usd": usage.cost_usd, "unpriced_calls": usage.unpriced_calls, "saved_usd": usage.saved_usd},
        )
