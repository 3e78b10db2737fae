"""A provider whose calls wait for their turn and are asked again when that may help."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

from flowyard.abc import Provider
from flowyard.errors import ProviderError
from flowyard.llm.pacing.pacer import REFUSED, Pacer, Permit
from flowyard.llm.pacing.token_guess import TokenGuess
from flowyard.llm.parameters import note_in_chunk, read_usage
from flowyard.records import ModelReply, ModelRequest, Usage

__all__ = ["PacedProvider"]

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class _Answered(Generic[Answer]):
    """What an attempt gave, the permit it was made with and what it took to get there."""

    answer: Answer
    permit: Permit
    attempts: int
    refused: int


class PacedProvider(Provider):
    """Calls ``wire``, which makes one attempt a call, at the pacer's pace."""

    def __init__(self, wire: Provider, pacer: Pacer) -> None:
        self._wire = wire
        self._pacer = pacer
        self._guess = TokenGuess()

    async def call(self, request: ModelRequest) -> ModelReply:
        done = await self._attempt(request, lambda: self._wire.call(request))
        reply = done.answer
        self._answered(request, done.permit, reply.usage)
        usage = replace(reply.usage, refused_calls=done.refused) if done.refused else reply.usage
        return ModelReply(reply.body, usage, done.attempts)

    async def stream(self, request: ModelRequest) -> AsyncIterator[Mapping[str, Any]]:
        """Only the way to the first chunk is tried again: what a reader has seen cannot be taken back."""

        async def begin() -> tuple[AsyncIterator[Mapping[str, Any]], Mapping[str, Any] | None]:
            chunks = self._wire.stream(request)
            return chunks, await anext(chunks, None)

        done = await self._attempt(request, begin)
        chunks, chunk = done.answer
        usage = Usage()
        try:
            while chunk is not None:
                if chunk.get("usage") or not usage.calls:
                    usage = read_usage(chunk)
                    chunk = note_in_chunk(chunk, {"refused_calls": done.refused}) if done.refused else chunk
                yield chunk
                chunk = await anext(chunks, None)
        except ProviderError as error:
            self._pacer.failed(done.permit, error, done.attempts)
            raise
        except BaseException:  # the reader has had enough
            self._pacer.given_up(done.permit)
            raise
        finally:
            await _close(chunks)
        self._answered(request, done.permit, usage)

    async def close(self) -> None:
        await self._wire.close()

    async def _attempt(self, request: ModelRequest, ask: Callable[[], Awaitable[Answer]]) -> _Answered[Answer]:
        """Ask until there is an answer. Raises the last ProviderError when there is none to be had."""
        guess = self._guess.of(request) if self._pacer.counts_tokens else 0.0
        refused, attempt = 0, 1
        while True:
            permit = await self._admit(guess, refused)
            try:
                return _Answered(await ask(), permit, attempt, refused)
            except ProviderError as error:
                refused += error.status in REFUSED
                error.refused_calls = refused
                wait_s = self._pacer.failed(permit, error, attempt)
                if wait_s is None or not await self._pacer.take_retry(error):
                    raise
                await self._pacer.wait(error, wait_s)
            except BaseException:
                self._pacer.given_up(permit)
                raise
            attempt += 1

    async def _admit(self, guess: float, refused: int) -> Permit:
        try:
            return await self._pacer.admit(guess)
        except ProviderError as error:
            error.refused_calls = refused
            raise

    def _answered(self, request: ModelRequest, permit: Permit, usage: Usage) -> None:
        tokens = float(usage.total_tokens) or permit.tokens  # not every endpoint says
        self._pacer.answered(permit, tokens)
        if self._pacer.counts_tokens:
            self._guess.learn(request, usage)


async def _close(chunks: AsyncIterator[Mapping[str, Any]]) -> None:
    close = getattr(chunks, "aclose", None)
    if close is not None:
        await close()
