"""Requests of the common kind, read line by line: what they tell the gateway, and the lines that pass as they came."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from flowyard.gateway.asked import LONGEST_ID
from flowyard.gateway.forwarded import FORWARDED, FORWARDED_OTHERS, spellings
from flowyard.gateway.settings import GatewaySettings
from flowyard.wire import HIDDEN, LENGTH, OF_ONE_CONNECTION, PASSED, UNPLAIN, FirstLines, PlainLines

__all__ = ["OWN_NAMES", "PlainRequest", "PlainRequests"]

OWN_NAMES = ("host", "x-request-id", "traceparent", "x-flowyard-mirror")
"""Headers that the gateway writes itself."""

_HOST, _REQUEST_ID, _TRACE, _UNIT, _COOKIES, _AUTHORIZATION, _API_KEY = range(10, 17)
_NOT_KEPT = frozenset({_HOST, _REQUEST_ID, _TRACE, _AUTHORIZATION, _API_KEY})
_FORWARDED = 20
"""Roles from there on are for a trusted proxy's words."""
_FORWARDED_ROLES = dict(enumerate(FORWARDED, _FORWARDED))
_FORWARDED_OTHER = 30
_ROLES = {
    **dict.fromkeys((*OF_ONE_CONNECTION, *spellings((*OWN_NAMES, *FORWARDED))), HIDDEN),
    **dict.fromkeys(spellings(FORWARDED_OTHERS), _FORWARDED_OTHER),
    **{name: role for role, name in _FORWARDED_ROLES.items()},
    **dict.fromkeys(("transfer-encoding", "expect", "upgrade"), UNPLAIN),
    **{"host": _HOST, "x-request-id": _REQUEST_ID, "traceparent": _TRACE, "cookie": _COOKIES},
    **{"authorization": _AUTHORIZATION, "api-key": _API_KEY},
}
_ROLES.pop("content-length")
_KEYS = {_AUTHORIZATION: "authorization", _API_KEY: "api-key"}
_WITH_BODY = frozenset({b"POST", b"PUT", b"PATCH"})
_MOST_LINES = 100


class PlainRequest:
    """``lines`` pass as they came; ``values`` are what certain lines say, by their roles."""

    __slots__ = ("lines", "method", "target", "values")

    def __init__(self, method: bytes, target: bytes, lines: list[bytes], values: Mapping[int, bytes]) -> None:
        self.method = method
        self.target = target
        self.lines = lines
        self.values = values

    @property
    def host(self) -> bytes:
        return self.values[_HOST]

    @property
    def request_id(self) -> str:
        return self._text(_REQUEST_ID)

    @property
    def trace(self) -> str:
        return self._text(_TRACE)

    @property
    def unit(self) -> str:
        """The value of the sticky header."""
        return self._text(_UNIT)

    @property
    def cookies(self) -> str:
        return self._text(_COOKIES)

    @property
    def keys(self) -> dict[str, str]:
        """The headers that may hold the gateway's key."""
        return {name: self._text(role) for role, name in _KEYS.items() if role in self.values}

    @property
    def key_lines(self) -> Sequence[bytes]:
        """The same as lines."""
        return [name.encode("ascii") + b": " + self.values[role] for role, name in _KEYS.items() if role in self.values]

    @property
    def forwarded(self) -> Mapping[str, str]:
        """What a trusted proxy says of where the request came from."""
        return {name: self._text(role) for role, name in _FORWARDED_ROLES.items() if role in self.values}

    def _text(self, role: int) -> str:
        value = self.values.get(role)
        return value.decode("ascii") if value is not None else ""


class PlainRequests:
    """Reads them. What is not plain is left to who reads heads in full: that is never a refusal."""

    def __init__(self, settings: GatewaySettings) -> None:
        roles, unit = dict(_ROLES), settings.sticky.header
        if unit is not None:
            roles[unit] = UNPLAIN if unit in roles or unit in ("content-length", "content-type") else _UNIT
        if settings.override is not None:
            roles[settings.override.header] = roles[f"{settings.override.header}-key"] = UNPLAIN
        self._lines = PlainLines(roles, frozenset({"x-request-id", "traceparent", unit or ""}))
        self._first = FirstLines()
        self._body_bytes = settings.limits.body_bytes

    def read(self, head: bytes, body_size: int, *, is_trusted: bool) -> PlainRequest | None:
        """A request whose body is here and has that many bytes; None for one that is not plain, or not whole.

        ``is_trusted`` says that it came from a trusted proxy.
        """
        lines = head.split(b"\r\n")
        first = self._first.seen.get(lines[0]) or self._first.judge(lines[0])
        if first is None or len(lines) > _MOST_LINES:
            return None
        seen, judge = self._lines.seen.get, self._lines.judge
        kept, values = list[bytes](), dict[int, bytes]()
        for line in lines[1:]:
            role, value = seen(line) or judge(line)
            if role == PASSED:
                kept.append(line)
            elif role == UNPLAIN or role in values:
                return None
            elif role >= _FORWARDED and not is_trusted:
                continue
            elif role != HIDDEN:
                values[role] = value
                if role < _FORWARDED and role not in _NOT_KEPT:
                    kept.append(line)
        if not self._is_whole(first[0], values, body_size):
            return None
        return PlainRequest(*first, kept, values)

    def _is_whole(self, method: bytes, values: Mapping[int, bytes], body_size: int) -> bool:
        length = values.get(LENGTH)
        if (length is not None) != (method in _WITH_BODY) or int(length or 0) != body_size:
            return False
        is_odd = _HOST not in values or _FORWARDED_OTHER in values or len(values.get(_REQUEST_ID, b"")) > LONGEST_ID
        return not is_odd and body_size <= self._body_bytes
