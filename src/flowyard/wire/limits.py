"""How much of everything a server takes from one connection."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["WireLimits"]


@dataclass(frozen=True, slots=True)
class WireLimits:
    """``head_bytes`` and ``body_bytes`` are for one request, ``fields`` counts its headers.

    ``head_s`` and ``body_s`` are the times in which a head and then a body have to arrive, ``idle_s`` how long a
    connection may rest between requests, ``write_s`` how long a client may leave an answer unread, ``connections`` how
    many may be open. ``held_bytes`` is how much of requests that are not complete all connections may hold together.
    """

    head_bytes: int = 16 * 1024
    body_bytes: int = 32 * 1024 * 1024
    fields: int = 100
    head_s: float = 10.0
    body_s: float = 60.0
    idle_s: float = 75.0
    write_s: float = 60.0
    connections: int = 4096
    held_bytes: int = 512 * 1024 * 1024
