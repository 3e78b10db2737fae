"""An answer as it is kept: its body or its chunks, and what it had cost in tokens."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flowyard._util.redact import redact, redact_json
from flowyard.llm.parameters import NOTED_USAGE, note_in_chunk, read_usage
from flowyard.records import ModelReply, Usage

__all__ = ["KeptAnswer", "cached_chunks", "cached_reply"]

_SIMULATED_MARK = "flowyard_simulated"
"""Our own code adds this name to the chunks of a stream that a simulated model made."""
_NOTHING_SPENT = {"calls": 0, "prompt_tokens": 0, "completion_tokens": 0, "cached_calls": 1}


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """A whole answer: ``body``, or ``chunks`` when it was streamed, without our own marks."""

    body: Mapping[str, Any] | None = None
    chunks: Sequence[Mapping[str, Any]] = ()
    simulated: bool = False

    @property
    def usage(self) -> Usage:
        """What was used when the answer was made."""
        holders = [self.body] if self.body is not None else [chunk for chunk in self.chunks if chunk.get("usage")]
        return read_usage(holders[-1] if holders else {}, simulated=self.simulated)

    def to_bytes(self) -> bytes:
        """The answer as JSON."""
        part: Mapping[str, Any] = {"chunks": self.chunks} if self.body is None else {"body": self.body}
        return json.dumps({**part, "simulated": self.simulated}, ensure_ascii=False).encode("utf-8", "surrogatepass")

    @classmethod
    def from_bytes(cls, data: bytes) -> KeptAnswer | None:
        """The inverse of ``to_bytes``; None when it is not an answer."""
        try:
            value = json.loads(data.decode("utf-8", "surrogatepass"))
            return cls(value.get("body"), tuple(value.get("chunks") or ()), bool(value["simulated"]))
        except (ValueError, KeyError, AttributeError, TypeError):
            return None

    def without(self, secrets: Sequence[str]) -> KeptAnswer:
        """The answer with secrets hidden, should it repeat one."""
        text = self.to_bytes().decode("utf-8", "surrogatepass")
        if redact(text, secrets) == text:
            return self
        return KeptAnswer.from_bytes(redact_json(text, secrets).encode("utf-8", "surrogatepass")) or self

    @classmethod
    def from_reply(cls, reply: ModelReply) -> KeptAnswer:
        """What is kept of a reply."""
        usage = reply.kept_usage or reply.usage
        return cls(reply.body, simulated=usage.simulated_calls > 0)

    @classmethod
    def from_chunks(cls, chunks: Sequence[Mapping[str, Any]]) -> KeptAnswer:
        """What is kept of a stream that ended as it should."""
        marks = (_SIMULATED_MARK, NOTED_USAGE)
        plain = tuple({name: value for name, value in chunk.items() if name not in marks} for chunk in chunks)
        return cls(chunks=plain, simulated=any(chunk.get(_SIMULATED_MARK) for chunk in chunks))


def cached_reply(answer: KeptAnswer) -> ModelReply:
    """A kept answer as a reply that cost nothing."""
    usage = answer.usage
    spared = Usage(cached_calls=1, simulated_calls=usage.simulated_calls)
    return ModelReply(answer.body or {}, spared, attempts=0, kept_usage=usage)


def cached_chunks(answer: KeptAnswer) -> list[dict[str, Any]]:
    """A kept stream, whose chunks say that it cost nothing."""
    mark = {_SIMULATED_MARK: True} if answer.simulated else {}
    return [note_in_chunk({**chunk, **mark}, _NOTHING_SPENT) for chunk in answer.chunks]
