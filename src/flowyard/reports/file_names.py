"""Names of files made from names that people chose."""

from __future__ import annotations

import hashlib
import re

__all__ = ["file_stem"]

_LONGEST = 100
_PLAIN = re.compile(r"[a-z0-9][a-z0-9_-]*")
_PLAIN_LABEL = re.compile(r"[a-z0-9][a-z0-9=._-]*(?:, [a-z0-9][a-z0-9=._-]*)*(?<![._-])")


def file_stem(name: str, label: str | None = None) -> str:
    """A readable name without an ending that every file system takes: ``tickets.classify=few_shot``.

    It is different for a different name and label: a digest keeps apart what would be the same after letters were
    replaced or cut, or where capitals do not count.
    """
    text = name if label is None else f"{name}.{label.replace(', ', ',')}"
    is_plain = _PLAIN.fullmatch(name) and (label is None or _PLAIN_LABEL.fullmatch(label))
    if is_plain and len(text) <= _LONGEST:
        return text
    readable = re.sub(r"[^A-Za-z0-9=,._-]+", "_", text).strip("=,._-")[:_LONGEST]
    return f"{readable or 'unnamed'}_{hashlib.sha256(repr((name, label)).encode()).hexdigest()[:8]}"
