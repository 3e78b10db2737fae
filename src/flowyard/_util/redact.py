"""Taking secrets out of text that people will read."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["HIDDEN", "redact"]

HIDDEN = "******"


def redact(text: str, secrets: Iterable[str]) -> str:
    """The text with every secret replaced; values under four characters are too common to be told apart."""
    for secret in sorted((secret for secret in secrets if len(secret) >= 4), key=len, reverse=True):
        text = text.replace(secret, HIDDEN)
    return text
