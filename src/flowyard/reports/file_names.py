"""Names of files made from names that people chose."""

from __future__ import annotations

import hashlib
import re

__all__ = ["file_stem"]

_LONGEST = 100
_PLAIN = re.compile(r"[a-z0-9][a-z0-9=,_-]*")


def file_stem(*parts: str) -> str:
    """A readable name without an ending that every file system takes, different for different parts.

    A digest keeps apart what would be the same after letters were replaced or cut, or where capitals do not count.
    """
    text = ".".join(parts)
    if len(text) <= _LONGEST and all(map(_PLAIN.fullmatch, parts)):
        return text
    readable = re.sub(r"[^A-Za-z0-9=,._-]+", "_", text).strip("=,._-")[:_LONGEST]
    return f"{readable or 'unnamed'}_{hashlib.sha256(repr(parts).encode()).hexdigest()[:8]}"
