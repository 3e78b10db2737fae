"""Text that still knows which parts of it came from outside."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flowyard.llm.messages import RoleEscapes

__all__ = ["PromptText", "escape_inputs"]


class PromptText(str):
    """A rendered prompt. As text it is what a person reads; ``escaped`` cannot start a message of its own.

    LLM nodes render ``escaped`` and let ``escapes`` restore the words, so that data cannot pose as another role.
    """

    escaped: str
    escapes: RoleEscapes

    def __new__(cls, text: str, escaped: str, escapes: RoleEscapes) -> PromptText:
        made = super().__new__(cls, text)
        made.escaped = escaped
        made.escapes = escapes
        return made


def escape_inputs(values: Mapping[str, Any], outside: frozenset[str], escapes: RoleEscapes) -> dict[str, Any]:
    """The values with role words of outside text escaped; text of a prompt node brings its own escapes along."""
    safe: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, PromptText):
            escapes.adopt(value.escapes)
            safe[name] = value.escaped
        else:
            safe[name] = escapes.escape(value) if name in outside else value
    return safe
