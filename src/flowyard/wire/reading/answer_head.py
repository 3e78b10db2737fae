"""Reading the head of an answer, strictly: what leaves open where its body ends is not used."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from flowyard.wire.limits import WireLimits
from flowyard.wire.reading.head import parse_fields
from flowyard.wire.refusal import Refusal

__all__ = ["AnswerHead", "BadAnswer", "parse_answer_head"]

_LINE = re.compile(rb"HTTP/1\.([01]) ([1-5][0-9]{2})(?: [\t\x20-\x7e\x80-\xff]*)?\r\n")
_LENGTH = re.compile(r"[0-9]{1,15}")
_COOKIE = re.compile(rb"\r\nset-cookie:[ \t]*([^\r\n]*)", re.IGNORECASE)
_LIMITS = WireLimits()
_NO_BODY = frozenset({204, 304})


class BadAnswer(Exception):
    """What came is no answer, or one that can be read in two ways."""


@dataclass(slots=True)  # not frozen: one is made for each answer, and frozen ones take longer
class AnswerHead:
    """``headers`` have lower-case names, a repeated one its values joined by commas; ``cookies`` are those it sets.

    ``body`` says how the body ends; ``length`` is its length in bytes where the head tells it, also for an answer to
    HEAD, which has none. ``keeps`` says whether the connection can be used again.
    """

    status: int
    headers: dict[str, str]
    cookies: tuple[str, ...]
    body: Literal["none", "length", "chunks", "until closed"]
    length: int | None
    keeps: bool


def parse_answer_head(data: bytes, *, to_head: bool) -> AnswerHead:
    """The head, up to and with the end of its last line. Raises BadAnswer."""
    line = _LINE.match(data)
    if line is None:
        raise BadAnswer("The first line is no answer of HTTP/1.1.")
    try:
        headers = parse_fields(data, line.end(), _LIMITS)
    except Refusal as refusal:
        raise BadAnswer(refusal.message) from None
    cookies = tuple(each.decode("latin-1") for each in _COOKIE.findall(data)) if headers.pop("set-cookie", "") else ()
    status, is_old = int(line[2]), line[1] == b"0"
    coding, length = headers.get("transfer-encoding"), headers.get("content-length")
    if coding is not None and (length is not None or is_old or coding.lower() != "chunked"):
        raise BadAnswer("The answer's body has a length or comes in chunks, not both.")
    if length is not None and not _LENGTH.fullmatch(length):
        raise BadAnswer("The answer's Content-Length is no number.")
    wish = headers.get("connection", "").lower()
    keeps = "keep-alive" in wish if is_old else "close" not in wish
    body: Literal["none", "length", "chunks", "until closed"]
    if to_head or status in _NO_BODY or status < 200:
        body = "none"
    elif coding is not None:
        body = "chunks"
    else:
        body = "until closed" if length is None else "length"
    known = int(length) if length is not None else None
    return AnswerHead(status, headers, cookies, body, known, keeps and body != "until closed")
