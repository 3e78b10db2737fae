"""What is judged, as it goes into a prompt: one line of JSON between two marks that no text can contain.

Anyone may have written it, so it is kept from being read as anything but data. JSON keeps it on one line and in quotes.
Characters that cannot be seen, and the tokens by which chat templates tell messages apart, are written as escapes. The
mark is a hash of the whole material, so that a text that knew it would have to contain its own hash; it is the same for
the same material, so that answers can be kept and replayed.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flowyard._util.files import dump_json

__all__ = ["Material", "encoded"]

_UNSEEN = frozenset({"Cc", "Cf", "Zl", "Zp", "Co", "Cn", "Cs"})
_TOKEN_STARTS = re.compile(r"<(?=[|/]?\|?[A-Za-z_|])|\[(?=/?INST\b)|<(?=<)")
"""Where ``<|im_start|>``, ``</s>``, ``<start_of_turn>``, ``[INST]`` and ``<<SYS>>`` begin, as do HTML tags."""
_MARK_LENGTH = 32
_CANARY_LENGTH = 8


@dataclass(frozen=True, slots=True)
class Material:
    """The data block of a prompt, its mark, and the canary that only the instructions name."""

    block: str
    mark: str
    canary: str

    @classmethod
    def of(cls, values: Mapping[str, Any], purpose: str) -> Material:
        """The material ``{label: value}``; ``purpose`` is what is asked of it, which the marks depend on too."""
        text = encoded(values)
        digest = hashlib.sha256(f"{purpose}\n{text}".encode()).hexdigest()
        mark, canary = digest[:_MARK_LENGTH], digest[-_CANARY_LENGTH:]
        return cls(f"BEGIN DATA {mark}\n{text}\nEND DATA {mark}", mark, canary)


def encoded(value: Any) -> str:
    """A value as one line of JSON that nobody can take for the end of it, for a message or for a picture."""
    text = dump_json(value)
    seen = text.replace("\x7f", "\\u007f") if text.isascii() else "".join(map(_visible, text))
    return _TOKEN_STARTS.sub(lambda found: _escape(found[0]), seen)


def _visible(character: str) -> str:
    return _escape(character) if unicodedata.category(character) in _UNSEEN else character


def _escape(character: str) -> str:
    """The JSON escape of one character, of two halves when it is beyond the first 65,536."""
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2))
