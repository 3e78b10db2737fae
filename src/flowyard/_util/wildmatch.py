"""Patterns of ``.gitignore`` as git reads them, for who goes through folders and does not enter those left out."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ["IgnoreRule", "parse_rules", "verdict"]

_CLASSES = {
    "alnum": "0-9A-Za-z",
    "alpha": "A-Za-z",
    "blank": " \\t",
    "digit": "0-9",
    "lower": "a-z",
    "punct": "!-/:-@\\[-`{-~",
    "space": "\\s",
    "upper": "A-Z",
    "xdigit": "0-9A-Fa-f",
}
_NOTHING = "(?!)"


@dataclass(frozen=True, slots=True)
class IgnoreRule:
    """A pattern. ``regex`` is for the whole path if the rule is ``anchored``, otherwise with its last name."""

    regex: re.Pattern[str]
    anchored: bool
    folders_only: bool
    ignores: bool

    def fits(self, path: str, *, is_folder: bool) -> bool:
        """Whether the pattern names this very file or folder; what is below a folder is another matter."""
        if self.folders_only and not is_folder:
            return False
        return self.regex.fullmatch(path if self.anchored else path.rpartition("/")[2]) is not None


def parse_rules(lines: Iterable[str]) -> tuple[IgnoreRule, ...]:
    """The rules of an ignore file. A pattern that cannot match anything, such as an open ``[``, matches nothing."""
    return tuple(rule for line in lines if (rule := _parse_rule(line)) is not None)


def verdict(rules: Iterable[IgnoreRule], path: str, *, is_folder: bool) -> bool | None:
    """Whether the last rule that fits ``path``, relative to the ignore file, leaves it out; None when none fits."""
    found = None
    for rule in rules:
        if rule.fits(path, is_folder=is_folder):
            found = rule.ignores
    return found


def _parse_rule(line: str) -> IgnoreRule | None:
    pattern = _without_end(line)
    if not pattern or pattern.startswith("#"):
        return None
    ignores = not pattern.startswith("!")
    pattern = pattern[not ignores :]
    folders_only = pattern.endswith("/")
    pattern = pattern.removesuffix("/")
    anchored = "/" in pattern
    pattern = pattern.removeprefix("/")
    if not pattern:
        return None
    return IgnoreRule(re.compile(_regex(pattern), re.DOTALL), anchored, folders_only, ignores)


def _without_end(line: str) -> str:
    """A line without its end, and without blanks there that no backslash keeps."""
    text = line.rstrip("\r\n")
    bare = text.rstrip(" ")
    slashes = len(bare) - len(bare.rstrip("\\"))
    return f"{bare} " if slashes % 2 and len(bare) < len(text) else bare


def _regex(pattern: str) -> str:
    """What matches as the pattern does: ``*`` and ``?`` stop at a slash, ``**`` between slashes does not."""
    parts, at = [], 0
    while at < len(pattern):
        sign = pattern[at]
        if sign == "*":
            part, at = _stars(pattern, at)
        elif sign == "?":
            part, at = "[^/]", at + 1
        elif sign == "[":
            part, at = _one_of(pattern, at)
        elif sign == "\\":
            part = re.escape(pattern[at + 1]) if at + 1 < len(pattern) else _NOTHING
            at += 2
        else:
            part, at = re.escape(sign), at + 1
        parts.append(part)
    return "".join(parts)


def _stars(pattern: str, at: int) -> tuple[str, int]:
    end = at
    while end < len(pattern) and pattern[end] == "*":
        end += 1
    is_alone = (at == 0 or pattern[at - 1] == "/") and (end == len(pattern) or pattern[end] == "/")
    if end - at < 2 or not is_alone:
        return "[^/]*", end
    return (".+", end) if end == len(pattern) else ("(?:.*/)?", end + 1)


def _one_of(pattern: str, at: int) -> tuple[str, int]:
    """``[…]``: ranges, classes such as ``[:digit:]``, and ``!`` or ``^`` first for all others; never a slash."""
    end, found = at + 1, []
    is_other = pattern[end : end + 1] in ("!", "^")
    end += is_other
    first = end
    while pattern[end : end + 1] != "]" or end == first:
        member = re.compile(r"\[:(\w+):\]|(\\?.)-(\\?[^\]])|(\\?.)", re.DOTALL).match(pattern, end)
        if member is None:
            return _NOTHING, len(pattern)
        name, low, high, single = member.groups()
        if name is not None:
            found.append(_CLASSES.get(name, ""))
        elif single is not None:
            found.append(re.escape(single[-1]))
        elif low[-1] <= high[-1]:
            found.append(f"{re.escape(low[-1])}-{re.escape(high[-1])}")
        end = member.end()
    inside = "".join(found)
    if not inside:
        return ("[^/]" if is_other else _NOTHING), end + 1
    return f"(?!/)[{'^' if is_other else ''}{inside}]", end + 1
