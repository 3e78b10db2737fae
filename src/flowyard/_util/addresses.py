"""Which addresses requests may go to that others had a say in.

Data, prompts and settings name URLs, and this machine can reach more than their authors may: its own services, the
network it is in, the cloud's metadata. So only public addresses are allowed, unless a person lists the host.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection, Iterator

__all__ = ["Address", "is_listed", "is_metadata", "is_number_host", "is_public", "parse_address"]

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_METADATA = frozenset(
    map(ipaddress.ip_address, ("168.63.129.16", "169.254.169.254", "100.100.100.200", "fd00:ec2::254"))
)
# Both are for special uses, but not all of the standard library's versions say so.
_SPECIAL = tuple(map(ipaddress.ip_network, ("192.0.0.0/24", "fec0::/10")))
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_NUMBER = re.compile(r"\d+|0[xX][0-9a-fA-F]*")


def is_listed(host: str, port: int, listed: Collection[str]) -> bool:
    """Whether a person has listed this host, as ``host`` or ``host:port``; an IPv6 address then is ``[::1]:8080``."""
    name = host.lower().rstrip(".")
    entries = {entry.lower() for entry in listed}
    return not entries.isdisjoint({name, f"{name}:{port}", f"[{name}]", f"[{name}]:{port}"})


def parse_address(host: str) -> Address | None:
    """The IP address that a host is in its one canonical spelling, or None."""
    try:
        return ipaddress.ip_address(host.rstrip("."))
    except ValueError:
        return None


def is_number_host(host: str) -> bool:
    """Whether a host that is no canonical address may be read as one: ``2130706433``, ``0x7f.1``, ``0177.0.0.1``."""
    return _NUMBER.fullmatch(host.rstrip(".").rpartition(".")[2]) is not None


def is_metadata(address: Address) -> bool:
    """Whether an address, or an IPv4 address inside it, is where a cloud tells its machines their secrets."""
    return any(one in _METADATA or one.is_link_local for one in (address, *_embedded(address)))


def is_public(address: Address) -> bool:
    """Whether an address, and every IPv4 address inside it, is one of the public internet."""
    return all(_is_public(one) for one in (address, *_embedded(address)))


def _is_public(address: Address) -> bool:
    if address in _NAT64:  # a translator's address; what counts is the IPv4 address inside
        return True
    special = address.is_multicast or address.is_reserved or address.is_unspecified or address.is_link_local
    special = special or address in _METADATA or any(address in network for network in _SPECIAL)
    mapped = isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None
    return mapped or (address.is_global and not special)


def _embedded(address: Address) -> Iterator[ipaddress.IPv4Address]:
    if isinstance(address, ipaddress.IPv4Address):
        return
    for inner in (address.ipv4_mapped, address.sixtofour, *(address.teredo or ())):
        if inner is not None:
            yield inner
    if address in _NAT64:
        yield ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
