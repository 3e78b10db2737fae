"""Heads whose lines can pass as they came: each can be read in one way only, and most were seen before.

Stricter than reading a head in full. What is not plain is not refused here: it is left to who reads it in full.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from flowyard.wire.head import SECRET_FIELDS, TOKEN

__all__ = ["HIDDEN", "LENGTH", "ONCE", "PASSED", "UNPLAIN", "AnswerLines", "FirstLines", "PlainLines"]

PASSED, LENGTH, ONCE, HIDDEN, UNPLAIN = 0, 1, 2, -1, -2
"""What a line is: it passes; is the body's length, or anything that is not there twice, and passes; is left out; or is
nothing that can be understood here. Who asks has roles of its own: those below zero are noted, and left out."""

_FIELD = re.compile(rb"(" + TOKEN + rb"): ?((?:[!-~](?:[ -~]*[!-~])?)?)")
_LENGTH = re.compile(rb"0|[1-9][0-9]{0,14}")
_FIRST = re.compile(rb"(" + TOKEN + rb") (/[!\"$-~]*) HTTP/1\.1")
_STATUS = re.compile(rb"HTTP/1\.1 ([2-5][0-9]{2})(?: [\x20-\x7e]*)?")
_NO_BODY = frozenset({b"204", b"304"})
_LONGEST_SEEN = 200
_MOST_SEEN = 1024
_MOST_LINES = 100


class PlainLines:
    """``roles`` say by lower-case names what lines are; other names pass.

    Lines are remembered, at most so many, and none with a secret; ``varying`` are names whose values seldom come again.
    """

    def __init__(self, roles: Mapping[str, int], varying: frozenset[str] = frozenset()) -> None:
        self._passed: set[bytes] = set()
        self._special: dict[bytes, tuple[int, bytes]] = {}
        self._roles = {"content-length": LENGTH, "content-type": ONCE, **roles}
        self._forgotten = SECRET_FIELDS | varying

    def sort(self, lines: list[bytes]) -> dict[int, bytes] | None:
        """Take out what does not pass; gives the values of lines with a role. None when not all of them are plain."""
        passed, special, values = self._passed, self._special, dict[int, bytes]()
        for line in [each for each in lines if each not in passed]:
            role, value = special.get(line) or self._judged(line)
            if role == PASSED:
                continue
            if role == UNPLAIN or role in values:
                return None
            if role < 0:
                lines.remove(line)
            if role != HIDDEN:
                values[role] = value
        return values

    def _judged(self, line: bytes) -> tuple[int, bytes]:
        """The role of a line that is not remembered, and its value."""
        found = _FIELD.fullmatch(line)
        if found is None:
            return UNPLAIN, b""
        name, value = found[1].decode("ascii").lower(), found[2]
        role = self._roles.get(name, PASSED)
        if name == "connection" and role == HIDDEN:
            role = HIDDEN if value.lower() == b"keep-alive" else UNPLAIN
        elif role == LENGTH and not _LENGTH.fullmatch(value):
            role = UNPLAIN
        if role != UNPLAIN and len(line) <= _LONGEST_SEEN and name not in self._forgotten:
            self._remember(line, role, value)
        return role, value

    def _remember(self, line: bytes, role: int, value: bytes) -> None:
        if len(self._passed) + len(self._special) >= _MOST_SEEN:
            self._passed.clear()
            self._special.clear()
        if role == PASSED:
            self._passed.add(line)
        else:
            self._special[line] = role, value


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
        self._lines = PlainLines({**dict.fromkeys(hidden, HIDDEN), **dict.fromkeys(unplain, UNPLAIN)})
        self._statuses: dict[bytes, int] = {}

    def read(self, data: bytes) -> tuple[int, list[bytes], bytes] | None:
        """Status, the lines that pass with the first of all, and the body; None when it is not plain or not whole."""
        head, _, body = data.partition(b"\r\n\r\n")
        lines = head.split(b"\r\n")
        first = lines.pop(0)
        status = self._statuses.get(first) or self._status(first)
        values = self._lines.sort(lines) if status and len(lines) <= _MOST_LINES else None
        if values is None or int(values.get(LENGTH, -1)) != len(body):
            return None
        lines.insert(0, first)
        return status, lines, body

    def _status(self, line: bytes) -> int:
        found = _STATUS.fullmatch(line)
        if found is None or found[1] in _NO_BODY:
            return 0
        if len(self._statuses) < _MOST_SEEN and len(line) <= _LONGEST_SEEN:
            self._statuses[line] = int(found[1])
        return int(found[1])
