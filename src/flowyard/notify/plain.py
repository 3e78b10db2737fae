"""Text of any origin in messages: no control characters, no more than there is room for."""

from __future__ import annotations

from flowyard._util.printable import printable_text

__all__ = ["one_line", "plain_text"]


def one_line(text: str, most: int) -> str:
    """The text on one line of at most ``most`` characters."""
    return _shortened(" ".join(printable_text(text, " ").split()), most)


def plain_text(text: str, most: int) -> str:
    """The text with its line breaks, of at most ``most`` characters."""
    return _shortened(printable_text(text.replace("\r\n", "\n"), " "), most)


def _shortened(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
