"""What the gateway knows of one request: which unit it belongs to, and its names in records and traces."""

from __future__ import annotations

import os
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass

from flowyard.gateway.settings import StickySettings
from flowyard.wire import Request

__all__ = ["LONGEST_ID", "Asked", "find_unit", "named", "note_request"]

_TRACE = re.compile(r"00-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
LONGEST_ID = 180
"""Characters of a request's name, so that a copy's name fits into what servers keep of it."""
_LONGEST_UNIT = 1000

_ID_HEX, _ALL_HEX = 32, 80
_BLOCK = 128


def _random_names() -> Iterator[str]:
    """The digits of a request's name, a trace's and a span's; many at once, because each asking costs a system call."""
    while True:
        digits = os.urandom(_BLOCK * _ALL_HEX // 2).hex()
        for at in range(0, len(digits), _ALL_HEX):
            yield digits[at : at + _ALL_HEX]


_next_names = _random_names().__next__


@dataclass(slots=True)
class Asked:
    """``unit`` is as the caller gave it and goes into no record; ``unit_from`` says where it stood.

    ``assigned`` is the arm that the weights give the unit, for testers the one that they asked for; ``arm`` is the one
    that answers. ``chosen_by`` is what chose that: ``weights``, ``override`` for testers, ``fallback`` when the unit's
    own arm could not be reached; then ``assigned_version`` is that arm's. ``is_counted`` is false for what does not ask
    the flow. ``began`` is on the loop's clock. ``session`` is a new session's name, to be set as a cookie.
    """

    request_id: str
    trace: str
    trace_id: str
    unit: str
    unit_from: str
    began: float
    epoch: int = 0
    arm: str = ""
    assigned: str = ""
    assigned_version: str = ""
    chosen_by: str = "weights"
    first_piece_s: float | None = None
    session: str = ""
    is_mirror: bool = False
    is_counted: bool = True


def note_request(request: Request, sticky: StickySettings, now: float) -> Asked:
    """Names that the caller gave are kept; others are made."""
    get = request.headers.get
    asked = named(get("x-request-id", ""), get("traceparent", ""), now)
    find_unit(asked, sticky, get(sticky.header, "") if sticky.header is not None else "", get("cookie", ""))
    return asked


def named(request_id: str, trace: str, now: float) -> Asked:
    """A request with the names that its caller gave, empty where there was none; its unit is still the request."""
    made = _next_names()
    request_id = request_id[:LONGEST_ID] or made[:_ID_HEX]
    found = _TRACE.fullmatch(trace) if trace else None
    if found is None:
        trace_id = made[_ID_HEX : 2 * _ID_HEX]
        trace = f"00-{trace_id}-{made[2 * _ID_HEX :]}-01"
    else:
        trace_id = found[1]
    return Asked(request_id, trace, trace_id, request_id, "request", now)


def find_unit(asked: Asked, sticky: StickySettings, header: str, cookies: str) -> None:
    """Note the unit: the value of the sticky header, or what the header Cookie has; else the request is its own."""
    if header:
        asked.unit, asked.unit_from = header[:_LONGEST_UNIT], "header"
    elif sticky.cookie is not None and (value := _cookie(cookies, sticky.cookie)):
        asked.unit, asked.unit_from = value[:_LONGEST_UNIT], "cookie"
    elif sticky.session is not None:
        value = _cookie(cookies, sticky.session)
        if not value:
            value = asked.session = f"{random.SystemRandom().getrandbits(128):032x}"
        asked.unit, asked.unit_from = value[:_LONGEST_UNIT], "session"


def _cookie(cookies: str, name: str) -> str:
    """The value of a cookie; of two with the name the first, empty when there is none."""
    for part in cookies.replace(",", ";").split(";"):
        key, _, value = part.strip().partition("=")
        if key == name:
            return value.strip('"')
    return ""
