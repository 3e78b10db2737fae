"""Text of any origin as a terminal may get it."""

from __future__ import annotations

__all__ = ["minute", "printable_text"]


def printable_text(text: str, instead: str = "\N{REPLACEMENT CHARACTER}") -> str:
    """The text without characters that would steer a terminal; line breaks and tabs stay."""
    return "".join(letter if letter.isprintable() or letter in "\n\t" else instead for letter in text)


def minute(time: str) -> str:
    """A time in ISO 8601 and UTC as a table shows it below a head that says UTC: ``2025-03-01 10:20``."""
    return time[:16].replace("T", " ")
