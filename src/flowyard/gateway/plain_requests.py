"""Requests of the common kind, read line by line: what they tell the gateway, and the lines that pass as they came."""

from __future__ import annotations

from collections.abc import Mapping

from flowyard.gateway.asked import LONGEST_ID
from flowyard.gateway.counted import other_paths
from flowyard.gateway.forwarded import FORWARDED, FORWARDED_OTHERS, Forwarded, spellings
from flowyard.gateway.settings import GatewaySettings
from flowyard.wire import HIDDEN, LENGTH, OF_ONE_CONNECTION, UNPLAIN, FirstLines, PlainLines

__all__ = [
    "COOKIES",
    "HOST",
    "OWN_NAMES",
    "REQUEST_ID",
    "TRACE",
    "UNIT",
    "PlainRequest",
    "PlainRequests",
    "forwarded_of",
    "keys_of",
]

OWN_NAMES = ("host", "x-request-id", "traceparent", "x-flowyard-mirror")
"""Headers that the gateway writes itself."""
UNIT, COOKIES = 10, 11
HOST, REQUEST_ID, TRACE = -10, -11, -12
"""Roles of lines; those below zero do not pass."""

_FIRST_KEY, _FIRST_FORWARDED = -20, -30
_KEYS = {_FIRST_KEY - number: name for number, name in enumerate(("authorization", "api-key"))}
_FORWARDED = {_FIRST_FORWARDED - number: name for number, name in enumerate(FORWARDED)}
_ROLES = {
    **dict.fromkeys(OF_ONE_CONNECTION - {"content-length"}, HIDDEN),
    **dict.fromkeys(spellings((*OWN_NAMES, *FORWARDED)), HIDDEN),
    **dict.fromkeys(("transfer-encoding", "expect", "upgrade"), UNPLAIN),
    **{"host": HOST, "x-request-id": REQUEST_ID, "traceparent": TRACE, "cookie": COOKIES},
    **{name: role for role, name in (_KEYS | _FORWARDED).items()},
}
_OF_STRANGERS = dict.fromkeys(spellings((*FORWARDED, *FORWARDED_OTHERS)), HIDDEN)
_WITH_BODY = frozenset({b"POST", b"PUT", b"PATCH"})
_MOST_LINES = 100


PlainRequest = tuple[bytes, tuple[bytes, bytes], list[bytes], dict[int, str], bool]
"""The first line, its method and target, the lines that pass as they came, what lines with a role say, and whether some
of those are rare.

One is made for each request, and anything with names takes longer.
"""


class PlainRequests:
    """Reads them. What is not plain is left to who reads heads in full: that is never a refusal."""

    def __init__(self, settings: GatewaySettings, forwarded: Forwarded) -> None:
        roles, unit = dict(_ROLES), settings.sticky.header
        if unit is not None:
            has_role = unit in roles or unit in _OF_STRANGERS or unit in ("content-length", "content-type")
            roles[unit] = UNPLAIN if has_role else UNIT
        if settings.override is not None:
            roles[settings.override.header] = roles[f"{settings.override.header}-key"] = UNPLAIN
        varying = frozenset({"x-request-id", "traceparent"})
        self._of_proxies = PlainLines(roles, varying)
        self._of_strangers = PlainLines({**roles, **_OF_STRANGERS}, varying)
        self._forwarded = forwarded
        self._first = FirstLines(other_paths(settings.health.path if settings.health is not None else "/health"))
        self._body_bytes = settings.limits.body_bytes

    def read(self, head: bytes, body_size: int, peer: str) -> PlainRequest | None:
        """A request whose body is here and has that many bytes; None for one that is not plain, or not whole."""
        line, _, rest = head.partition(b"\r\n")
        lines = rest.split(b"\r\n")
        first = self._first.seen.get(line) or self._first.judge(line)
        if first is None or len(lines) > _MOST_LINES or body_size > self._body_bytes:
            return None
        values = (self._of_proxies if self._forwarded.is_trusted(peer) else self._of_strangers).sort(lines)
        if values is None or HOST not in values:
            return None
        length = values.get(LENGTH)
        if (length is not None) != (first[0] in _WITH_BODY) or int(length or 0) != body_size:
            return None
        has_more = min(values) < HOST
        if has_more and len(values.get(REQUEST_ID, "")) > LONGEST_ID:
            return None
        return line, first, lines, values, has_more


def keys_of(values: Mapping[int, str]) -> dict[str, str]:
    """What a request says in headers that hold keys."""
    return _texts(values, _KEYS)


def forwarded_of(values: Mapping[int, str]) -> dict[str, str]:
    """What a trusted proxy says of where a request came from."""
    return _texts(values, _FORWARDED)


def _texts(values: Mapping[int, str], names: Mapping[int, str]) -> dict[str, str]:
    return {name: values[role] for role, name in names.items() if role in values}
