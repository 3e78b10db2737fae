"""What downloads of pictures must keep to: data and prompts name their URLs."""

from __future__ import annotations

from dataclasses import dataclass

from flowyard._util.addresses import is_listed

__all__ = ["UrlRules"]

_MEGABYTE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class UrlRules:
    """What downloads must keep to.

    ``allowed_hosts`` are hosts, or ``host:port``, that may be reached although their addresses are not public; an IPv6
    address with a port is written ``[::1]:8080``. ``timeout_s`` holds for one picture with all its redirects, and
    ``max_bytes`` for one picture.
    """

    allowed_hosts: frozenset[str] = frozenset()
    timeout_s: float = 30.0
    max_bytes: int = 50 * _MEGABYTE

    def allows(self, host: str, port: int) -> bool:
        """Whether a person has listed this host."""
        return is_listed(host, port, self.allowed_hosts)
