"""A model's whole answer, read like the objects of the vendors' Python packages."""

from __future__ import annotations

import json
from typing import Any

__all__ = ["Answer"]

_MAY_BE_ABSENT = frozenset(
    {
        *("annotations", "audio", "content", "finish_reason", "function_call", "logprobs", "name", "refusal"),
        *("service_tier", "system_fingerprint", "tool_calls", "usage"),
    }
)


class Answer(dict[str, Any]):
    """A JSON object whose keys are also attributes, however deep: ``answer.choices[0].message.content``.

    What an answer may leave out reads as None; any other unknown name raises AttributeError. It is stored as JSON.
    """

    def __init__(self, body: Any = ()) -> None:
        super().__init__({key: _wrapped(value) for key, value in dict(body).items()})

    def __getattr__(self, name: str) -> Any:
        if name in self:
            return self[name]
        if name in _MAY_BE_ABSENT:
            return None
        raise AttributeError(f"The model's answer has no {name!r} here; it has: {', '.join(self) or 'nothing'}.")

    def model_dump(self) -> dict[str, Any]:
        """The answer as plain dicts and lists."""
        plain: dict[str, Any] = json.loads(self.model_dump_json())
        return plain

    def model_dump_json(self, indent: int | None = None) -> str:
        """The answer as JSON text."""
        return json.dumps(self, ensure_ascii=False, indent=indent)

    to_dict = model_dump
    to_json = model_dump_json


def _wrapped(value: Any) -> Any:
    if isinstance(value, dict):
        return Answer(value)
    return [_wrapped(item) for item in value] if isinstance(value, list) else value
