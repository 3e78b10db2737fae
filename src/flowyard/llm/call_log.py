"""What was asked of models while one request was answered, for those who tell of it: traces and production records."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from flowyard._util.inheritance import inherited
from flowyard.llm.call_place import current_place
from flowyard.llm.connection import Connection
from flowyard.records import NO_USAGE, ModelRequest, Usage

__all__ = ["CallLog", "ModelCall", "begin_call", "call_log"]

_MOST_CALLS = 128
_ADDRESSES = ("api_base", "base_url", "endpoint")


@dataclass(slots=True)
class ModelCall:
    """One call; ``node`` is where it was made, ``connection`` the type of its connection, ``address`` its host.

    ``started`` is of ``time.time_ns``. Of a call that is under way ``duration_ns`` is None. ``answer`` holds what the
    endpoint said: the body, or of a stream ``id``, ``model`` and ``choices`` put together from its chunks.
    """

    node: str | None
    connection: str
    address: str
    request: ModelRequest
    started_ns: int
    clock_ns: int = field(default_factory=time.perf_counter_ns)
    duration_ns: int | None = None
    first_chunk_ns: int | None = None
    usage: Usage = NO_USAGE
    answer: Mapping[str, Any] = field(default_factory=dict)
    error: str | None = None
    message: str = ""
    _texts: dict[int, list[str]] = field(default_factory=dict)
    _reasons: dict[int, str] = field(default_factory=dict)

    def heard(self, chunk: Mapping[str, Any]) -> None:
        """Take in one chunk of a stream."""
        if self.first_chunk_ns is None:
            self.first_chunk_ns = time.perf_counter_ns() - self.clock_ns
            self.answer = {name: chunk[name] for name in ("id", "model") if chunk.get(name)}
        for choice in chunk.get("choices") or ():
            index = choice.get("index") or 0
            text = (choice.get("delta") or {}).get("content") or choice.get("text")
            if isinstance(text, str):
                self._texts.setdefault(index, []).append(text)
            if choice.get("finish_reason"):
                self._reasons[index] = str(choice["finish_reason"])

    def ended(self, usage: Usage, answer: Mapping[str, Any] | None = None, error: BaseException | None = None) -> None:
        """The call is over; ``answer`` is None for a stream."""
        self.duration_ns = time.perf_counter_ns() - self.clock_ns
        self.usage = usage
        if error is not None:
            self.error, self.message = type(error).__name__, str(error)
        if answer is not None:
            self.answer = answer
        elif self._texts or self._reasons:
            choices = [
                {
                    "index": index,
                    "message": {"role": "assistant", "content": "".join(self._texts.get(index, ()))},
                    "finish_reason": self._reasons.get(index),
                }
                for index in sorted({*self._texts, *self._reasons})
            ]
            self.answer = {**self.answer, "choices": choices}


class CallLog:
    """The model calls of one request, in the order they began; of very many the first ones."""

    __slots__ = ("calls",)

    def __init__(self) -> None:
        self.calls: list[ModelCall] = []

    @property
    def models(self) -> list[str]:
        """The models that answered, as they call themselves, each once."""
        return list(dict.fromkeys(str(call.answer.get("model") or call.request.model) for call in self.calls))


call_log = inherited("flowyard_call_log")
"""Who hears of the calls that are made now, a ``CallLog`` or None, also in threads that flow code started."""


def begin_call(connection: Connection, request: ModelRequest) -> ModelCall | None:
    """Note a call that begins; None when nobody wants to know."""
    log: CallLog | None = call_log.get()
    if log is None or len(log.calls) >= _MOST_CALLS:
        return None
    address = next((str(connection[name]) for name in _ADDRESSES if connection.get(name)), "")
    host = urlsplit(address).netloc.rpartition("@")[2]
    call = ModelCall(current_place().label, connection.type, host, request, time.time_ns())
    log.calls.append(call)
    return call
