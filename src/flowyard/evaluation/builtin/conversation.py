"""A conversation as data has it, checked and paired into turns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

__all__ = ["Turn", "parse_conversation"]

_ROLES = ("user", "assistant")


@dataclass(frozen=True, slots=True)
class Turn:
    """What the user said, the reply, and what the reply cites; ``citations`` is None when it has none."""

    question: str
    answer: str
    citations: list[Any] | None


def parse_conversation(value: Any) -> list[Turn]:
    """The turns of ``[{role: user, content}, {role: assistant, content, context?: {citations: […]}}, …]``.

    Raises ValueError naming the first message that is wrong.
    """
    if not isinstance(value, list) or not value:
        raise ValueError("'conversation' must be a list of messages, with at least one of the user and one reply.")
    for number, message in enumerate(value, start=1):
        _require_message(message, number, _ROLES[(number + 1) % 2])
    if len(value) % 2:
        raise ValueError("'conversation' must end with a message of the assistant.")
    pairs = zip(value[::2], value[1::2], strict=True)
    return [Turn(asked["content"], reply["content"], _citations(reply)) for asked, reply in pairs]


def _require_message(message: Any, number: int, role: str) -> None:
    if not isinstance(message, dict):
        raise ValueError(f"Message {number} of 'conversation' must be a dict, not a {type(message).__name__}.")
    missing = [key for key in ("role", "content") if key not in message]
    if missing:
        raise ValueError(f"Message {number} of 'conversation' has no {missing[0]!r}.")
    if message["role"] != role:
        raise ValueError(f"Message {number} of 'conversation' must have the role {role!r}, not {message['role']!r}.")
    if not isinstance(message["content"], str):
        raise ValueError(f"The content of message {number} of 'conversation' must be a text.")
    if role == "assistant" and "context" in message:
        _require_context(message["context"], number)


def _require_context(context: Any, number: int) -> None:
    if not isinstance(context, dict) or not isinstance(context.get("citations"), list):
        raise ValueError(f"The context of message {number} of 'conversation' must be a dict with a list 'citations'.")
    if not all(isinstance(citation, dict) for citation in context["citations"]):
        raise ValueError(f"The citations of message {number} of 'conversation' must be dicts.")


def _citations(reply: dict[str, Any]) -> list[Any] | None:
    return list(reply["context"]["citations"]) if "context" in reply else None
