"""How many tokens a call will take, guessed from its size and from the calls before it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flowyard.records import ModelRequest, Usage

__all__ = ["TokenGuess"]

_NEW = 0.1
"""How much the last call counts, at least, against all before it."""
_PICTURE_CHARACTERS = 3000


class TokenGuess:
    """Learns tokens for a character and the length of answers. Cheap rather than exact: what was wrong is corrected."""

    def __init__(self) -> None:
        self._per_character = 0.25
        self._answer = 200.0
        self._learned = 0

    def of(self, request: ModelRequest) -> float:
        """The tokens that the request and its answer will probably take."""
        body = request.body
        prompt = self._per_character * _characters(body)
        if request.operation == "embedding":
            return max(1.0, prompt)
        most = body.get("max_completion_tokens") or body.get("max_tokens")
        answer = min(self._answer, most) if isinstance(most, int | float) and most > 0 else self._answer
        return max(1.0, prompt + answer)

    def learn(self, request: ModelRequest, usage: Usage) -> None:
        """What a call has taken."""
        self._learned += 1
        weight = max(_NEW, 1 / self._learned)
        characters = _characters(request.body)
        if usage.prompt_tokens and characters:
            self._per_character += weight * (usage.prompt_tokens / characters - self._per_character)
        if usage.completion_tokens:
            self._answer += weight * (usage.completion_tokens - self._answer)


def _characters(body: Mapping[str, Any]) -> int:
    return sum(_length(body.get(key)) for key in ("messages", "prompt", "input", "tools", "functions"))


def _length(value: Any) -> int:
    if isinstance(value, str):
        return len(value)
    if isinstance(value, Mapping):
        return sum(_PICTURE_CHARACTERS if key == "image_url" else _length(each) for key, each in value.items())
    if isinstance(value, list | tuple):
        return sum(map(_length, value))
    return 0 if value is None else 1
