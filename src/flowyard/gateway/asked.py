"""What the gateway knows of one request: which unit it belongs to, and its names in records and traces."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass

from flowyard.gateway.settings import StickySettings
from flowyard.wire import Request

__all__ = ["Asked", "cookie", "note_request"]

_TRACE = re.compile(r"00-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
_LONGEST_ID = 180
"""Characters of a request's name, so that a copy's name fits into what servers keep of it."""
_LONGEST_UNIT = 1000

_bits = random.Random(random.SystemRandom().getrandbits(128)).getrandbits


@dataclass(slots=True)
class Asked:
    """``unit`` is as the caller gave it and goes into no record; ``unit_from`` says where it stood.

    ``chosen_by`` is what chose the arm: ``weights``, ``override`` for testers, ``fallback`` when the unit's own arm
    could not be reached. ``began`` is on the loop's clock. ``session`` is a new session's name, to be set as a cookie.
    ``is_feedback``: it says something of an answer that was given, and is itself none that could be compared.
    """

    request_id: str
    trace: str
    trace_id: str
    unit: str
    unit_from: str
    began: float
    epoch: int = 0
    arm: str = ""
    chosen_by: str = "weights"
    first_piece_s: float | None = None
    session: str = ""
    is_mirror: bool = False
    is_feedback: bool = False


def note_request(request: Request, sticky: StickySettings, now: float) -> Asked:
    """Names that the caller gave are kept; others are made."""
    headers = request.headers
    request_id = headers.get("x-request-id", "")[:_LONGEST_ID] or f"{_bits(128):032x}"
    trace = headers.get("traceparent", "")
    found = _TRACE.fullmatch(trace) if trace else None
    if found is None:
        trace_id = f"{_bits(128) or 1:032x}"
        trace = f"00-{trace_id}-{_bits(64) or 1:016x}-01"
    else:
        trace_id = found[1]
    asked = Asked(request_id, trace, trace_id, request_id, "request", now, is_feedback=request.path == "/feedback")
    _find_unit(asked, request, sticky)
    return asked


def _find_unit(asked: Asked, request: Request, sticky: StickySettings) -> None:
    if sticky.header is not None and (value := request.headers.get(sticky.header)):
        asked.unit, asked.unit_from = value[:_LONGEST_UNIT], "header"
    elif sticky.cookie is not None and (value := cookie(request, sticky.cookie)):
        asked.unit, asked.unit_from = value[:_LONGEST_UNIT], "cookie"
    elif sticky.session is not None:
        value = cookie(request, sticky.session)
        if not value:
            value = asked.session = f"{random.SystemRandom().getrandbits(128):032x}"
        asked.unit, asked.unit_from = value[:_LONGEST_UNIT], "session"


def cookie(request: Request, name: str) -> str:
    """The value of a cookie; of two with the name the first, empty when there is none."""
    for part in request.headers.get("cookie", "").replace(",", ";").split(";"):
        key, _, value = part.strip().partition("=")
        if key == name:
            return value.strip('"')
    return ""
