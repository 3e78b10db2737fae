"""Providers that write calls to a recording, and that answer from one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing
from typing import Any

from flowyard._util.redact import secrets_among
from flowyard.abc import Provider
from flowyard.errors import UserError
from flowyard.llm.cache.answer_form import KeptAnswer, cached_chunks, cached_reply
from flowyard.llm.call_place import CallPlace, LineCalls, current_place
from flowyard.llm.connection import Connection
from flowyard.llm.recording.recorded_call import Asked, RecordedCall
from flowyard.llm.recording.recorder import shared_recorder
from flowyard.llm.recording.replay import open_recording
from flowyard.llm.recording.rules import RecordingRules
from flowyard.records import ModelReply, ModelRequest

__all__ = ["RecordingProvider", "ReplayProvider"]


class RecordingProvider(Provider):
    """Writes every answer of ``inner`` to a recording, also those that ``inner`` had kept."""

    def __init__(self, inner: Provider, connection: Connection, rules: RecordingRules) -> None:
        self._inner = inner
        self._secrets = connection.secret_values()
        self._recorder = shared_recorder(rules)
        self._recorder.connect(str(connection.name), connection.type)

    async def call(self, request: ModelRequest) -> ModelReply:
        asked, place = _asked(request, self._secrets, streamed=False), current_place()
        with _calls(place, self._recorder.outside).numbered(_label(asked, place)) as number:
            reply = await self._inner.call(request)
            self._add(request, asked, KeptAnswer.from_reply(reply), place, number)
            return reply

    async def stream(self, request: ModelRequest) -> AsyncIterator[Mapping[str, Any]]:
        asked, place = _asked(request, self._secrets, streamed=True), current_place()
        with _calls(place, self._recorder.outside).numbered(_label(asked, place)) as number:
            chunks = []
            async with aclosing(self._inner.stream(request)) as pieces:  # type: ignore[type-var]
                async for piece in pieces:
                    chunks.append(piece)
                    yield piece
            self._add(request, asked, KeptAnswer.from_chunks(chunks), place, number)

    async def close(self) -> None:
        await self._inner.close()

    def _add(self, request: ModelRequest, asked: Asked, answer: KeptAnswer, place: CallPlace, number: int) -> None:
        plain = answer.without([*self._secrets, *secrets_among(request.headers)])
        self._recorder.add(RecordedCall.made(asked, plain, place, number))


class ReplayProvider(Provider):
    """Answers from a recording only: it needs no key and no network."""

    def __init__(self, connection: Connection, rules: RecordingRules) -> None:
        self._secrets = connection.secret_values()
        self._replay = open_recording(rules.file)

    async def call(self, request: ModelRequest) -> ModelReply:
        return cached_reply(self._find(request, streamed=False))

    async def stream(self, request: ModelRequest) -> AsyncIterator[Mapping[str, Any]]:
        for chunk in cached_chunks(self._find(request, streamed=True)):
            yield chunk

    async def close(self) -> None:
        """Nothing is open."""

    def _find(self, request: ModelRequest, *, streamed: bool) -> KeptAnswer:
        asked, place = _asked(request, self._secrets, streamed=streamed), current_place()
        with _calls(place, self._replay.outside).numbered(_label(asked, place)) as number:
            return self._replay.find(asked, place, number).answer


def _asked(request: ModelRequest, secrets: list[str], *, streamed: bool) -> Asked:
    try:
        return Asked.by(request, [*secrets, *secrets_among(request.headers)], streamed=streamed)
    except TypeError as error:
        raise UserError(f"A value in the model request is not JSON: {error}.") from None


def _calls(place: CallPlace, outside: LineCalls) -> LineCalls:
    return place.line or outside


def _label(asked: Asked, place: CallPlace) -> str:
    return f"recording {place.label} {asked.key}"
