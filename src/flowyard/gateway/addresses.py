"""Addresses in ``gateway.yaml``."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from flowyard.wire import Place

__all__ = ["parse_backend_url", "parse_listen"]

_LISTEN = re.compile(r"(?:\[(?P<six>[0-9a-fA-F:.]+)\]|(?P<host>[-.a-zA-Z0-9]+)):(?P<port>[0-9]{1,5})")
_PREFIX = re.compile(r"(?:/[-._~a-zA-Z0-9%]+)*/?")


def parse_listen(text: str) -> tuple[str, int] | None:
    """Host and port of ``HOST:PORT``; None for anything else."""
    found = _LISTEN.fullmatch(text)
    if found is None or int(found["port"]) > 65535:
        return None
    return found["six"] or found["host"], int(found["port"])


def parse_backend_url(text: str) -> tuple[Place, str] | None:
    """Where to connect to and what stands before each path; None for what is no plain URL of HTTP."""
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return None
    odd = parts.username is not None or parts.query or parts.fragment or text != text.strip()
    if parts.scheme not in ("http", "https") or not parts.hostname or odd or not _PREFIX.fullmatch(parts.path):
        return None
    is_tls = parts.scheme == "https"
    return Place(parts.hostname, port or (443 if is_tls else 80), is_tls), parts.path.rstrip("/")
