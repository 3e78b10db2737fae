"""Reading the head of a request, strictly: what two servers could read in two ways is refused."""

from __future__ import annotations

import re
from dataclasses import dataclass

from flowyard.wire.limits import WireLimits
from flowyard.wire.refusal import Refusal

__all__ = ["HEAD_END", "SECRET_FIELDS", "TOKEN", "Head", "find_head", "parse_fields", "parse_head"]

HEAD_END = b"\r\n\r\n"

TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_LINE = re.compile(rb"(" + TOKEN + rb") ([!-~]+) HTTP/1\.([01])\r\n")
_FIELD = re.compile(rb"(" + TOKEN + rb"):[ \t]*((?:[\x21-\x7e\x80-\xff]+(?:[ \t]+[\x21-\x7e\x80-\xff]+)*)?)[ \t]*")
_LENGTH = re.compile(r"[0-9]{1,15}")
_ABSOLUTE = re.compile(r"https?://[^/?#]+", re.IGNORECASE)
_ONCE = frozenset({"host", "content-length", "transfer-encoding", "authorization", "api-key", "content-type", "expect"})
"""Fields that mean something to us and of which two would leave open which one counts."""
SECRET_FIELDS = frozenset({"authorization", "proxy-authorization", "api-key", "cookie", "set-cookie"})
_LONGEST_SEEN = 200
_MOST_SEEN = 1024
_seen: dict[bytes, tuple[str, str]] = {}
_seen_lines: dict[bytes, tuple[str, str, str, bool]] = {}
"""Lines that were read before, most of which come again and again; never more than so many, and none with a secret."""


@dataclass(slots=True)
class Head:
    """``length`` is that of the body in bytes, None for a body in chunks. ``keeps`` says that the connection stays."""

    method: str
    path: str
    query_text: str
    headers: dict[str, str]
    length: int | None
    keeps: bool
    is_old: bool
    expects: bool


def find_head(data: bytes | bytearray, limits: WireLimits) -> int:
    """Where the head ends, without its empty line; -1 while it is not complete. Raises Refusal for one too long."""
    end = data.find(HEAD_END, 0, limits.head_bytes + 4)
    if end < 0:
        if len(data) >= limits.head_bytes:
            raise Refusal(431, f"The head of a request may have {limits.head_bytes} bytes.")
        if data.count(b"\n") != data.count(b"\r\n"):
            raise Refusal(400, "A line of the head ends without a carriage return.")
    return end


def parse_head(data: bytes, limits: WireLimits) -> Head:
    """The head, up to and with the end of its last line. Raises Refusal with the status to answer."""
    end = data.find(b"\r\n") + 2
    line = data[:end]
    method, path, query, is_old = _seen_lines.get(line) or _first_line(line)
    headers = parse_fields(data, end, limits)
    if "host" not in headers and not is_old:
        raise Refusal(400, "The header Host is missing.")
    expects = False
    if "expect" in headers:
        if headers["expect"].lower() != "100-continue":
            raise Refusal(417, "No expectation but 100-continue is known.")
        expects = not is_old
    keeps = not is_old
    if "connection" in headers:
        wish = headers["connection"].lower()
        keeps = "keep-alive" in wish if is_old else "close" not in wish
    return Head(method, path, query, headers, _length(headers, limits, is_old=is_old), keeps, is_old, expects)


def _first_line(line: bytes) -> tuple[str, str, str, bool]:
    """Method, path, query, and whether it is HTTP/1.0. Raises Refusal."""
    found = _LINE.fullmatch(line)
    if found is None:
        raise Refusal(400, "The first line is no request of HTTP/1.1.")
    parsed = (found[1].decode("ascii"), *_target(found[2].decode("ascii")), found[3] == b"0")
    if len(line) <= _LONGEST_SEEN and b"?" not in line:  # a query may hold a secret
        if len(_seen_lines) >= _MOST_SEEN:
            _seen_lines.clear()
        _seen_lines[line] = parsed
    return parsed


def parse_fields(data: bytes, at: int, limits: WireLimits) -> dict[str, str]:
    """The headers from there on, with lower-case names; a repeated one holds its values joined by commas."""
    headers: dict[str, str] = {}
    lines = data[at:].split(b"\r\n")
    if lines.pop():
        raise Refusal(400, "A header is malformed.")
    for line in lines:  # most were seen before
        name, value = _seen.get(line) or _field(line)
        if name in headers:
            if name in _ONCE:
                raise Refusal(400, f"The header {name} is there twice.")
            value = f"{headers[name]}, {value}"
        headers[name] = value
    if len(lines) > limits.fields:
        raise Refusal(431, f"A request may have {limits.fields} headers.")
    return headers


def _field(line: bytes) -> tuple[str, str]:
    """The name, in lower case, and the value of one header. Raises Refusal."""
    found = _FIELD.fullmatch(line)
    if found is None:
        raise Refusal(400, "A header is malformed.")
    field = found[1].decode("ascii").lower(), found[2].decode("latin-1")
    if len(line) <= _LONGEST_SEEN and field[0] not in SECRET_FIELDS:
        if len(_seen) >= _MOST_SEEN:
            _seen.clear()
        _seen[line] = field
    return field


def _target(text: str) -> tuple[str, str]:
    if not text.startswith("/"):
        found = _ABSOLUTE.match(text)
        if found is None:
            raise Refusal(400, "The target of a request is a path.")
        text = text[found.end() :] or "/"
        text = text if text.startswith("/") else f"/{text}"
    path, _, query = text.partition("#")[0].partition("?")
    return path, query


def _length(headers: dict[str, str], limits: WireLimits, *, is_old: bool) -> int | None:
    """The length of the body; None for chunks."""
    coding, length = headers.get("transfer-encoding"), headers.get("content-length")
    if coding is not None:
        if length is not None or is_old:
            raise Refusal(400, "A body has a length or comes in chunks, not both.")
        if coding.lower() != "chunked":
            raise Refusal(501, "No transfer coding but chunked is known.")
        return None
    if length is None:
        return 0
    if not _LENGTH.fullmatch(length):
        raise Refusal(400, "Content-Length is no number.")
    number = int(length)
    if number > limits.body_bytes:
        raise Refusal(413, f"The body is too large: at most {limits.body_bytes} bytes.")
    return number
