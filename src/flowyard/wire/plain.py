"""Heads whose lines can pass as they came: each can be read in one way only, and most were seen before.

Stricter than reading a head in full. What is not plain is not refused here: it is left to who reads it in full.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from flowyard.wire.head import SECRET_FIELDS, TOKEN

__all__ = ["HIDDEN", "LENGTH", "ONCE", "PASSED", "UNPLAIN", "AnswerLines", "FirstLines", "Judged", "PlainLines"]

PASSED, HIDDEN, UNPLAIN, LENGTH, ONCE = range(5)
"""What becomes of a line: it passes; is left out; nobody here can say; the body's length; passes, but not twice."""

Judged = tuple[int, bytes]
"""The role of a line, and its value."""

_FIELD = re.compile(rb"(" + TOKEN + rb"): ?((?:[!-~](?:[ -~]*[!-~])?)?)")
_LENGTH = re.compile(rb"0|[1-9][0-9]{0,14}")
_FIRST = re.compile(rb"(" + TOKEN + rb") (/[!\"$-~]*) HTTP/1\.1")
_STATUS = re.compile(rb"HTTP/1\.1 ([2-5][0-9]{2})(?: [\x20-\x7e]*)?")
_NO_BODY = frozenset({b"204", b"304"})
_LONGEST_SEEN = 200
_MOST_SEEN = 1024
_MOST_LINES = 100
_UNPLAIN: Judged = (UNPLAIN, b"")


class PlainLines:
    """``roles`` say by lower-case names what lines are; other names pass. Roles from 5 belong to who asks.

    ``seen`` has lines that were judged before, at most so many, and none with a secret; ``varying`` are names whose
    values seldom come again.
    """

    def __init__(self, roles: Mapping[str, int], varying: frozenset[str] = frozenset()) -> None:
        self.seen: dict[bytes, Judged] = {}
        self._roles = {"content-length": LENGTH, "content-type": ONCE, **roles}
        self._forgotten = SECRET_FIELDS | varying

    def judge(self, line: bytes) -> Judged:
        """What a line is that is not in ``seen``."""
        found = _FIELD.fullmatch(line)
        if found is None:
            return _UNPLAIN
        name, value = found[1].decode("ascii").lower(), found[2]
        role = self._roles.get(name, PASSED)
        if name == "connection" and role == HIDDEN:
            role = HIDDEN if value.lower() == b"keep-alive" else UNPLAIN
        elif role == LENGTH and not _LENGTH.fullmatch(value):
            role = UNPLAIN
        judged = (role, value)
        if role != UNPLAIN and len(line) <= _LONGEST_SEEN and name not in self._forgotten:
            if len(self.seen) >= _MOST_SEEN:
                self.seen.clear()
            self.seen[line] = judged
        return judged


class FirstLines:
    """First lines of requests: their method and target."""

    def __init__(self) -> None:
        self.seen: dict[bytes, tuple[bytes, bytes]] = {}

    def judge(self, line: bytes) -> tuple[bytes, bytes] | None:
        """Of a line that is not in ``seen``; None when it is not plain."""
        found = _FIRST.fullmatch(line)
        if found is None or found[1] == b"HEAD" or found[2].endswith(b"?"):
            return None
        parsed = (found[1], found[2])
        if len(line) <= _LONGEST_SEEN and b"?" not in line:  # a query may hold a secret
            if len(self.seen) >= _MOST_SEEN:
                self.seen.clear()
            self.seen[line] = parsed
        return parsed


class AnswerLines:
    """Reads answers that came whole, on a connection that is kept; ``hidden`` names are left out."""

    def __init__(self, hidden: frozenset[str], unplain: frozenset[str]) -> None:
        roles = {**dict.fromkeys(hidden, HIDDEN), **dict.fromkeys(unplain, UNPLAIN)}
        self._lines = PlainLines(roles, frozenset({"date"}))
        self._statuses: dict[bytes, int] = {}

    def read(self, data: bytes) -> tuple[int, list[bytes], bytes] | None:
        """Status, the lines that pass with the first of all, and the body; None when it is not plain or not whole."""
        head, _, body = data.partition(b"\r\n\r\n")
        lines = head.split(b"\r\n")
        first = lines[0]
        status = self._statuses.get(first) or self._status(first)
        if not status:
            return None
        seen, judge = self._lines.seen.get, self._lines.judge
        kept, values = [first], dict[int, bytes]()
        for line in lines[1:]:
            role, value = seen(line) or judge(line)
            if role == PASSED:
                kept.append(line)
            elif role == UNPLAIN or role in values:
                return None
            elif role != HIDDEN:
                values[role] = value
                kept.append(line)
        if int(values.get(LENGTH, -1)) != len(body) or len(lines) > _MOST_LINES:
            return None
        return status, kept, body

    def _status(self, line: bytes) -> int:
        found = _STATUS.fullmatch(line)
        if found is None or found[1] in _NO_BODY:
            return 0
        if len(self._statuses) < _MOST_SEEN and len(line) <= _LONGEST_SEEN:
            self._statuses[line] = int(found[1])
        return int(found[1])
