"""A prompt template and how one caller renders it: to messages or to text, with outside values kept in their place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flowyard.llm.messages import RoleEscapes, parse_chat
from flowyard.llm.prompt_text import escape_inputs
from flowyard.llm.template import PromptFile, render

__all__ = ["ChatPrompt", "LinesList"]


class LinesList(list[Any]):
    """A list that prints one item a line, as prompt flow prints lists in prompts for Azure OpenAI."""

    def __str__(self) -> str:
        return "\n".join(map(str, self))


@dataclass(frozen=True, slots=True)
class ChatPrompt:
    """``outside`` names the variables that may hold foreign text, which must not pose as a message of its own."""

    template: PromptFile
    outside: frozenset[str]

    def messages(
        self, variables: Mapping[str, Any], *, item_per_line: bool = False, image_detail: str = "auto"
    ) -> list[dict[str, Any]]:
        """The chat messages, in OpenAI's shape. Raises UserError for a prompt that is none, ValueError from Jinja.

        With ``item_per_line`` lists print one item a line rather than as Python lists.
        """
        escapes = RoleEscapes()
        text = self._rendered(variables, escapes, item_per_line=item_per_line)
        return parse_chat(text, image_detail=image_detail, escapes=escapes)

    def text(self, variables: Mapping[str, Any], *, item_per_line: bool = False) -> str:
        """The prompt as one text, for completion models. Raises ValueError from Jinja."""
        escapes = RoleEscapes()
        return str(escapes.restore(self._rendered(variables, escapes, item_per_line=item_per_line)))

    def _rendered(self, variables: Mapping[str, Any], escapes: RoleEscapes, *, item_per_line: bool) -> str:
        safe = escape_inputs(variables, self.outside, escapes)
        if item_per_line:
            safe = {name: LinesList(value) if isinstance(value, list) else value for name, value in safe.items()}
        return render(self.template, safe)
