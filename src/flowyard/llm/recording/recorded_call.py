"""One recorded call: what was asked, by whom, and what was answered."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from flowyard._util.redact import redact_json
from flowyard.llm.cache.answer_form import KeptAnswer
from flowyard.llm.cache.answer_key import relevant_headers
from flowyard.llm.call_place import CallPlace
from flowyard.records import ModelRequest

__all__ = ["Asked", "RecordedCall"]


@dataclass(frozen=True, slots=True)
class Asked:
    """What identifies a call wherever its service is: no address, no connection, no secret.

    ``request`` is the body. The order of its names does not count, because files are edited by hand.
    """

    operation: str
    model: str
    request: Mapping[str, Any]
    headers: Mapping[str, str] = field(default_factory=dict)
    streamed: bool = False

    @classmethod
    def by(cls, request: ModelRequest, secrets: list[str], *, streamed: bool) -> Asked:
        """The request as it is recorded, with secrets hidden. Raises TypeError when it is not JSON."""
        body = json.loads(redact_json(json.dumps(dict(request.body), ensure_ascii=False), secrets))
        headers = json.loads(redact_json(json.dumps(relevant_headers(request.headers)), secrets))
        return cls(request.operation, request.model, body, headers, streamed)

    @property
    def key(self) -> str:
        """Equal for equal calls."""
        parts = [self.operation, self.model, self.streamed, self.headers, self.request]
        text = json.dumps(parts, ensure_ascii=True, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    def to_json(self) -> dict[str, Any]:
        """The fields of a line of the file."""
        headers = {"headers": dict(self.headers)} if self.headers else {}
        streamed = {"streamed": True} if self.streamed else {}
        return {"operation": self.operation, "model": self.model, **streamed, **headers, "request": self.request}


@dataclass(frozen=True, slots=True)
class RecordedCall:
    """A call and its answer.

    ``node``, ``line`` and ``number`` (among the equal calls of the node) say where it was made.
    """

    asked: Asked
    answer: KeptAnswer
    node: str | None = None
    line: int | None = None
    number: int = 0

    @classmethod
    def made(cls, asked: Asked, answer: KeptAnswer, place: CallPlace, number: int) -> RecordedCall:
        """A call that was just made at a place."""
        return cls(asked, answer, place.label, place.line.line_number if place.line else None, number)

    @property
    def identity(self) -> tuple[Any, ...]:
        """Of calls with the same identity the file keeps one."""
        return (self.node or "", -1 if self.line is None else self.line, self.asked.key, self.number)

    def to_json(self) -> dict[str, Any]:
        """A line of the file."""
        place = {"node": self.node, "line": self.line}
        number = {"number": self.number} if self.number else {}
        answered = {"answer": self.answer.body} if self.answer.body is not None else {"chunks": self.answer.chunks}
        simulated = {"simulated": True} if self.answer.simulated else {}
        return {**place, **number, **self.asked.to_json(), **simulated, **answered}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> RecordedCall:
        """The inverse of ``to_json``. Raises KeyError, TypeError or ValueError for anything else."""
        headers, request = data.get("headers") or {}, data["request"]
        answer = KeptAnswer(data.get("answer"), tuple(data.get("chunks") or ()), bool(data.get("simulated")))
        if not isinstance(request, dict) or not isinstance(headers, dict):
            raise TypeError("a request is a mapping")
        if not isinstance(answer.body, dict) and not answer.chunks:
            raise ValueError("a call has an answer or chunks")
        asked = Asked(str(data["operation"]), str(data["model"]), request, headers, bool(data.get("streamed")))
        return cls(asked, answer, data.get("node"), data.get("line"), int(data.get("number") or 0))
