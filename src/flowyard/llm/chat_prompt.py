"""A prompt template and how one caller renders it: to messages or to text, with outside values kept in their place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flowyard.llm.messages import RoleEscapes, parse_chat
from flowyard.llm.prompt_text import escape_inputs
from flowyard.llm.template import PromptFile, parse_template, render
from flowyard.media import in_lines, placeholders, separate_images

__all__ = ["ChatPrompt"]


@dataclass(frozen=True, slots=True)
class ChatPrompt:
    """``outside`` names the variables that may hold foreign text, which must not pose as a message of its own."""

    template: PromptFile
    outside: frozenset[str] = frozenset()

    def showing_pictures(self) -> ChatPrompt:
        """The same prompt with each ``![image]({{name}})`` on a line of its own, where it becomes a picture."""
        template = self.template
        return ChatPrompt(parse_template(separate_images(template.text), template.label), self.outside)

    def messages(self, variables: Mapping[str, Any], *, item_per_line: bool = False) -> list[dict[str, Any]]:
        """The chat messages, in OpenAI's shape. Raises UserError for a prompt that is none, ValueError from Jinja.

        With ``item_per_line`` lists print one item a line rather than as Python lists.
        """
        escapes = RoleEscapes()
        return parse_chat(self._rendered(variables, escapes, item_per_line=item_per_line), escapes=escapes)

    def picture_messages(self, variables: Mapping[str, Any], *, detail: str = "auto") -> list[dict[str, Any]]:
        """The chat messages in which a picture alone on its line is shown to the model, not named.

        ``detail`` is ``low``, ``high`` or ``auto``. Raises as ``messages`` does.
        """
        escapes = RoleEscapes()
        text = self._rendered(variables, escapes, item_per_line=True)
        return parse_chat(text, images=placeholders(dict(variables)), image_detail=detail, escapes=escapes)

    def text(self, variables: Mapping[str, Any], *, item_per_line: bool = False) -> str:
        """The prompt as one text, for completion models. Raises ValueError from Jinja."""
        escapes = RoleEscapes()
        return str(escapes.restore(self._rendered(variables, escapes, item_per_line=item_per_line)))

    def _rendered(self, variables: Mapping[str, Any], escapes: RoleEscapes, *, item_per_line: bool) -> str:
        safe = escape_inputs(variables, self.outside, escapes)
        return render(self.template, in_lines(safe) if item_per_line else safe)
