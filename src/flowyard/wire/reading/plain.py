"""Heads whose lines can pass as they came: each can be read in one way only, and most were seen before.

Stricter than reading a head in full. What is not plain is not refused here: it is left to who reads it in full.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from flowyard.wire.reading.head import SECRET_FIELDS, TOKEN

__all__ = ["HIDDEN", "LENGTH", "ONCE", "PASSED", "UNPLAIN", "AnswerLines", "FirstLines", "PlainAnswer", "PlainLines"]

PASSED, LENGTH, ONCE, HIDDEN, UNPLAIN = 0, 1, 2, -1, -2
"""What a line is: it passes; is the body's length, or anything that is not there twice, and passes; is left out; or is
nothing that can be understood here. Who asks has roles of its own: those below zero are noted, and left out."""

_FIELD = re.compile(rb"(" + TOKEN + rb"): ?((?:[!-~](?:[ -~]*[!-~])?)?)")
_LENGTH = re.compile(r"0|[1-9][0-9]{0,14}")
_FIRST = re.compile(rb"(" + TOKEN + rb") (/[!\"$-~]*) HTTP/1\.1")
_STATUS = re.compile(rb"HTTP/1\.1 ([2-5][0-9]{2})(?: [\x20-\x7e]*)?")
_NO_BODY = frozenset({b"204", b"304"})
_SECRET = 3
_LONGEST_SEEN, _LONGEST_HEAD = 200, 1000
_MOST_SEEN, _MOST_LINES_SEEN = 1024, 16_384
_MOST_LINES = 100


class PlainLines:
    """``roles`` say by lower-case names what lines are; other names pass.

    Lines are remembered, at most so many, and none with a secret; ``varying`` are names whose values seldom come again.
    """

    def __init__(self, roles: Mapping[str, int], varying: frozenset[str] = frozenset()) -> None:
        self._passed: set[bytes] = set()
        self._special: dict[bytes, tuple[int, str]] = {}
        self._roles = {"content-length": LENGTH, "content-type": ONCE, **roles}
        self._forgotten = SECRET_FIELDS | varying

    def sort(self, lines: list[bytes]) -> dict[int, str] | None:
        """Take out what does not pass; gives the values of lines with a role. None when not all of them are plain."""
        passed, special = self._passed, self._special
        values: dict[int, str] = {}
        for line in [each for each in lines if each not in passed]:
            role, value = special.get(line) or self._judged(line)
            if role == UNPLAIN or role in values:
                return None
            if role > PASSED:
                values[role] = value
            elif role < PASSED:
                lines.remove(line)
                if role != HIDDEN:
                    values[role] = value
        return values

    def _judged(self, line: bytes) -> tuple[int, str]:
        """The role of a line that is not remembered, and its value."""
        found = _FIELD.fullmatch(line)
        if found is None:
            return UNPLAIN, ""
        name, value = found[1].decode("ascii").lower(), found[2].decode("ascii")
        role = self._roles.get(name, PASSED)
        if name == "connection" and role == HIDDEN:
            role = HIDDEN if value.lower() == "keep-alive" else UNPLAIN
        elif role == LENGTH and not _LENGTH.fullmatch(value):
            role = UNPLAIN
        if role != UNPLAIN and len(line) <= _LONGEST_SEEN and name not in self._forgotten:
            self._remember(line, role, value)
        return role, value

    def _remember(self, line: bytes, role: int, value: str) -> None:
        if len(self._passed) + len(self._special) >= _MOST_LINES_SEEN:
            self._passed.clear()
            self._special.clear()
        if role == PASSED:
            self._passed.add(line)
        else:
            self._special[line] = role, value


class FirstLines:
    """First lines of requests: their method and target. Those of ``other_paths`` are not taken."""

    def __init__(self, other_paths: frozenset[bytes] = frozenset()) -> None:
        self.seen: dict[bytes, tuple[bytes, bytes]] = {}
        self._other_paths = other_paths

    def judge(self, line: bytes) -> tuple[bytes, bytes] | None:
        """Of a line that is not in ``seen``; None when it is not plain."""
        found = _FIRST.fullmatch(line)
        if found is None or found[1] == b"HEAD" or found[2].endswith(b"?"):
            return None
        if found[2].partition(b"?")[0] in self._other_paths:
            return None
        parsed = (found[1], found[2])
        if len(line) <= _LONGEST_SEEN and b"?" not in line:  # a query may hold a secret
            if len(self.seen) >= _MOST_SEEN:
                self.seen.clear()
            self.seen[line] = parsed
        return parsed


class AnswerLines:
    """Reads answers that came whole, on a connection that is kept; ``hidden`` names are left out.

    Heads are remembered, too: of many answers in one second most are alike.
    """

    def __init__(self, hidden: frozenset[str], unplain: frozenset[str]) -> None:
        roles = {**dict.fromkeys(hidden, HIDDEN), **dict.fromkeys(unplain, UNPLAIN), "set-cookie": _SECRET}
        self._lines = PlainLines(roles)
        self._heads: dict[bytes, PlainAnswer] = {}

    def read(self, head: bytes) -> PlainAnswer | None:
        """A head, without the end of its last line; None when it is not plain."""
        return self._heads.get(head) or self._read(head)

    def _read(self, head: bytes) -> PlainAnswer | None:
        lines = head.split(b"\r\n")
        first = lines.pop(0)
        found = _STATUS.fullmatch(first)
        if found is None or found[1] in _NO_BODY or len(lines) > _MOST_LINES:
            return None
        values = self._lines.sort(lines)
        if values is None or LENGTH not in values:
            return None
        answer = PlainAnswer(int(found[1]), b"\r\n".join((first, *lines)), int(values[LENGTH]))
        if _SECRET not in values and len(head) <= _LONGEST_HEAD:
            if len(self._heads) >= _MOST_SEEN:
                self._heads.clear()
            self._heads[head] = answer
        return answer


class PlainAnswer(NamedTuple):
    """``lines`` pass, and begin with the first of all; ``length`` is that of the body."""

    status: int
    lines: bytes
    length: int
