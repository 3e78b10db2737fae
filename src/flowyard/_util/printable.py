"""Text of any origin as a terminal may get it."""

from __future__ import annotations

__all__ = ["printable_text"]


def printable_text(text: str, instead: str = "\N{REPLACEMENT CHARACTER}") -> str:
    """The text without characters that would steer a terminal; line breaks and tabs stay."""
    return "".join(letter if letter.isprintable() or letter in "\n\t" else instead for letter in text)
