"""The last turns of a conversation, so that a long one costs no more than a short one."""

from typing import Any

from promptflow.core import tool


@tool
def recent(chat_history: list[dict[str, Any]], turns: int) -> list[dict[str, Any]]:
    return chat_history[-turns:] if turns > 0 else []
