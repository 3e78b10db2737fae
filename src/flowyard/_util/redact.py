"""Taking secrets out of text that people will read."""

from __future__ import annotations

import json
from collections.abc import Iterable

__all__ = ["HIDDEN", "redact"]

HIDDEN = "******"
"""What stands for a secret wherever one would be shown."""


def redact(text: str, secrets: Iterable[str]) -> str:
    """The text with every secret replaced, also as Python or JSON would quote it.

    Values under four characters are too common to be told apart.
    """
    forms = {form for secret in secrets if len(secret) >= 4 for form in _forms(secret)}
    for form in sorted(forms, key=len, reverse=True):
        text = text.replace(form, HIDDEN)
    return text


def _forms(secret: str) -> tuple[str, ...]:
    quoted = json.dumps(secret)[1:-1]
    return secret, repr(secret)[1:-1], quoted, json.dumps(secret, ensure_ascii=False)[1:-1]
