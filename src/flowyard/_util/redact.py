"""Taking secrets out of text that people will read."""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import quote

__all__ = [
    "HIDDEN",
    "SECRET_FORMS",
    "may_be_secret",
    "redact",
    "redact_json",
    "secrets_among",
    "shows_secret",
    "without_password",
]

HIDDEN = "******"
"""What stands for a secret wherever one would be shown."""

_SECRET_NAME = re.compile(
    r"(^|[._-])(api[_-]?key|key|secret|passw(or)?d|pwd|credentials?|((access|bearer|auth|api)[_-]?)?token|authorization)$",
    re.IGNORECASE,
)

SECRET_FORMS = re.compile(
    r"(?i)\b(?:sk|pk|rk)-[A-Za-z0-9_-]{16,}|\bgh[pousr]_[A-Za-z0-9]{20,}|\bgithub_pat_\w{20,}|\bxox[abpr]-[\w-]{10,}"
    r"|\bBearer\s+[\w.~+/=-]{8,}|\beyJ[\w-]{10,}\.[\w-]{10,}\.[\w-]*"
    r"|(?<=AccountKey=)[^;\s]+|(?<=SharedAccessKey=)[^;\s]+|(?<=[?&]sig=)[^&\s]+"
)
"""Forms of keys and tokens that say of themselves what they are."""

_URL_USER = re.compile(r"://[^/@\s]+@")
_URL_KEY = re.compile(r"://[^/\s:@]*:[^/\s@]+@")


def shows_secret(value: str) -> bool:
    """Whether a value says of itself that it is a key or a token, or has one: in an address, in a connection string."""
    return SECRET_FORMS.search(value) is not None or _URL_KEY.search(value) is not None


def without_password(text: str) -> str:
    """The text without the user and password of an address in it."""
    return _URL_USER.sub(f"://{HIDDEN}@", text)


def may_be_secret(name: str) -> bool:
    """Whether a value of this name may be a secret: ``api_key``, ``client-secret``, ``Authorization``, ``token``."""
    return _SECRET_NAME.search(name) is not None


def secrets_among(fields: Mapping[str, str]) -> list[str]:
    """The values of fields, of headers for one, whose names say that they are secret; also without ``Bearer``."""
    found = [value for name, value in fields.items() if may_be_secret(name)]
    return [*found, *(value.rpartition(" ")[2] for value in found if " " in value)]


def redact(text: str, secrets: Iterable[str]) -> str:
    """The text with every secret replaced, also as Python, JSON, HTML, a URL or base64 would write it.

    Values under four characters are too common to be told apart; base64 is looked for from eight.
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


@lru_cache(maxsize=1024)
def _forms(secret: str) -> tuple[str, ...]:
    """The ways in which a secret may stand in a text; for a plain one nearly all are the same."""
    addressed = quote(secret, safe="", errors="replace")
    encoded = {_base64(secret.encode("utf-8", "replace"), before) for before in range(3) if len(secret) >= 8}
    written = {
        secret,
        repr(secret)[1:-1],
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
        html.escape(secret),
        html.escape(secret, quote=False),
        addressed,
        addressed.replace("%20", "+"),
        quote(secret, errors="replace"),
    }
    return tuple(written | encoded | {form.replace("+", "-").replace("/", "_") for form in encoded})


def _base64(secret: bytes, before: int) -> str:
    """What base64 makes of a secret after ``before`` other bytes, without what depends on its neighbours."""
    whole = base64.b64encode(b"\0" * before + secret).decode().rstrip("=")
    first, last = (0, 2, 3)[before], (before + len(secret)) * 8 // 6
    return whole[first:last]
