"""Taking secrets out of text that people will read."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

__all__ = ["HIDDEN", "may_be_secret", "redact", "redact_json"]

HIDDEN = "******"
"""What stands for a secret wherever one would be shown."""

_SECRET_NAME = re.compile(
    r"(^|[._-])(api[_-]?key|key|secret|passw(or)?d|pwd|credentials?|((access|bearer|auth|api)[_-]?)?token|authorization)$",
    re.IGNORECASE,
)


def may_be_secret(name: str) -> bool:
    """Whether a value of this name may be a secret: ``api_key``, ``client-secret``, ``Authorization``, ``token``."""
    return _SECRET_NAME.search(name) is not None


def redact(text: str, secrets: Iterable[str]) -> str:
    """The text with every secret replaced, also as Python or JSON would quote it.

    Values under four characters are too common to be told apart.
    """
    forms = {form for secret in secrets if len(secret) >= 4 for form in _forms(secret)}
    for form in sorted(forms, key=len, reverse=True):
        text = text.replace(form, HIDDEN)
    return text


def redact_json(text: str, secrets: Iterable[str]) -> str:
    """JSON text with every secret in its strings and keys replaced; numbers stay, so that it remains JSON."""
    listed = list(secrets)
    if redact(text, listed) == text:
        return text
    return json.dumps(_redact_value(json.loads(text), listed), ensure_ascii=False)


def _redact_value(value: Any, secrets: list[str]) -> Any:
    if isinstance(value, str):
        return redact(value, secrets)
    if isinstance(value, list):
        return [_redact_value(item, secrets) for item in value]
    if isinstance(value, dict):
        return {redact(key, secrets): _redact_value(item, secrets) for key, item in value.items()}
    return value


def _forms(secret: str) -> tuple[str, ...]:
    quoted = json.dumps(secret)[1:-1]
    return secret, repr(secret)[1:-1], quoted, json.dumps(secret, ensure_ascii=False)[1:-1]
