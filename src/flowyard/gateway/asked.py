"""What the gateway knows of one request: which unit it belongs to, and its names in records and traces."""

from __future__ import annotations

import os
import random
import re
from dataclasses import dataclass

from flowyard.gateway.settings import StickySettings
from flowyard.wire import Request

__all__ = ["LONGEST_ID", "Asked", "asked_by", "note_request"]

_TRACE = re.compile(r"00-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
LONGEST_ID = 180
"""Characters of a request's name, so that a copy's name fits into what servers keep of it."""
_LONGEST_UNIT = 1000

_BLOCK, _MOST_NUMBERS = 256, 3
_numbers: list[str] = []


def _more_numbers() -> None:
    """Random ones of 32 hexadecimal digits; many at once, because each asking costs a system call."""
    _numbers.extend(os.urandom(_BLOCK * 16).hex(" ", 16).split(" "))


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
    header = get(sticky.header, "") if sticky.header is not None else ""
    return asked_by(get("x-request-id", ""), get("traceparent", ""), header, get("cookie", ""), sticky, now)


def asked_by(request_id: str, trace: str, header: str, cookies: str, sticky: StickySettings, now: float) -> Asked:
    """The same for what headers say, empty where they are not there.

    The unit is the value of the sticky header, or what the header Cookie has; else the request is its own.
    """
    if len(_numbers) < _MOST_NUMBERS:
        _more_numbers()
    request_id = request_id[:LONGEST_ID] or _numbers.pop()
    if trace and (found := _TRACE.fullmatch(trace)):
        trace_id = found[1]
    else:
        trace_id = _numbers.pop()
        trace = f"00-{trace_id}-{_numbers.pop()[16:]}-01"
    if header:
        return Asked(request_id, trace, trace_id, header[:_LONGEST_UNIT], "header", now)
    if sticky.cookie is not None and (value := _cookie(cookies, sticky.cookie)):
        return Asked(request_id, trace, trace_id, value[:_LONGEST_UNIT], "cookie", now)
    if sticky.session is None:
        return Asked(request_id, trace, trace_id, request_id, "request", now)
    value = _cookie(cookies, sticky.session)[:_LONGEST_UNIT]
    made = "" if value else f"{random.SystemRandom().getrandbits(128):032x}"
    return Asked(request_id, trace, trace_id, value or made, "session", now, session=made)


def _cookie(cookies: str, name: str) -> str:
    """The value of a cookie; of two with the name the first, empty when there is none."""
    for part in cookies.replace(",", ";").split(";"):
        key, _, value = part.strip().partition("=")
        if key == name:
            return value.strip('"')
    return ""
