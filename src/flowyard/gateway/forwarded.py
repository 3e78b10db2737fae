"""What backends are told of where a request came from: the peer's own address, and more only from trusted proxies."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from itertools import product

__all__ = ["FORWARDED", "FORWARDED_OTHERS", "Forwarded", "spellings"]

FORWARDED = ("x-forwarded-for", "x-forwarded-proto", "x-forwarded-host")
"""The headers that a request has when it goes on."""
FORWARDED_OTHERS = frozenset(
    {
        *("forwarded", "x-real-ip", "x-client-ip", "true-client-ip", "x-original-host", "x-original-url"),
        *("x-rewrite-url", "x-forwarded", "x-forwarded-by", "x-forwarded-port", "x-forwarded-prefix"),
        *("x-forwarded-scheme", "x-forwarded-server", "x-forwarded-ssl", "x-forwarded-user"),
    }
)
"""Headers that say more of it, or say it in other words; they go on only when a trusted proxy has sent them."""
_MOST_KNOWN, _LONGEST_KNOWN = 1024, 200


class Forwarded:
    """``trusted`` are the networks of proxies before the gateway; what others say of where they are is left out."""

    def __init__(self, trusted: Sequence[IPv4Network | IPv6Network]) -> None:
        self._trusted = tuple(trusted)
        self._peers: dict[str, bool] = {}
        self._lines: dict[tuple[str, str], bytes] = {}

    def is_trusted(self, peer: str) -> bool:
        """Whether a peer is one of the proxies."""
        if not self._trusted:
            return False
        known = self._peers.get(peer)
        if known is None:
            address = _address(peer)
            known = address is not None and any(address in network for network in self._trusted)
            if len(self._peers) >= _MOST_KNOWN:
                self._peers.clear()
            self._peers[peer] = known
        return known

    def headers(self, given: Mapping[str, str], peer: str, host: str) -> dict[str, str]:
        """The headers for the backend; ``given`` are those of the request, ``host`` is what its Host said."""
        shown = str(_address(peer) or "unknown")
        if not self.is_trusted(peer):
            given = {}
        before = given.get("x-forwarded-for")
        found = {
            "x-forwarded-for": f"{before}, {shown}" if before else shown,
            "x-forwarded-proto": given.get("x-forwarded-proto") or "http",
        }
        if host := given.get("x-forwarded-host") or host:
            found["x-forwarded-host"] = host
        return found

    def lines(self, given: Mapping[str, str], peer: str, host: str) -> bytes:
        """The same as lines, without the end of the last; those of requests that say nothing of it are remembered."""
        known = self._lines.get((peer, host)) if not given else None
        if known is None:
            headers = self.headers(given, peer, host)
            known = "\r\n".join(f"{name}: {value}" for name, value in headers.items()).encode("latin-1")
            if len(self._lines) >= _MOST_KNOWN:
                self._lines.clear()
            if not given and len(host) <= _LONGEST_KNOWN:  # callers choose it
                self._lines[peer, host] = known
        return known


def spellings(names: Iterable[str]) -> frozenset[str]:
    """The names, also with ``_`` for ``-``: many servers hand both on as the same variable."""
    return frozenset(
        "".join(letters) for name in names for letters in product(*("-_" if each == "-" else each for each in name))
    )


def _address(peer: str) -> IPv4Address | IPv6Address | None:
    """An address as it is usually written: a mapped one of IPv4 is one of IPv4."""
    try:
        address = ip_address(peer.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
