"""Where a comment goes, and what became of it."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

__all__ = ["CommentPlace", "NotPermitted", "Posted", "fitted", "joined", "marker_of"]

_MARKER = re.compile(r"<!-- flowyard[^\n]{0,200}-->")
_USUAL = "<!-- flowyard -->"
_CUT = "\n\n*… more does not fit into a comment: see the report among the artifacts.*\n"


@dataclass(frozen=True, slots=True)
class Posted:
    """``how`` it was done; ``url`` of the comment for people, where it is known."""

    how: Literal["created", "updated", "unchanged"]
    url: str | None = None


class NotPermitted(Exception):
    """The token may not comment there, as that of a pull request from a fork; says what was answered."""


class CommentPlace(ABC):
    """A pull request. ``most`` is how many characters a comment may have, in UTF-16 as these systems count."""

    label: str
    most: int

    @abstractmethod
    def put(self, marker: str, text: str) -> Posted:
        """Have one comment with this marker say the text. Raises NotPermitted, OutsideError."""


def marker_of(text: str) -> str:
    """The comment that is not shown by which ours is found again: the first line of our reports."""
    first = text.lstrip().split("\n", 1)[0].strip()
    return first if _MARKER.fullmatch(first) else _USUAL


def joined(texts: Sequence[str], name: str, most: int) -> str:
    """Reports of several use cases as one text, which is ``name``'s: what each came to, then each of them.

    Those that were stopped are first. A report that is there twice counts as the later one is. Each gets its part of
    ``most`` characters, so that no long one leaves others out.
    """
    latest: dict[str, str] = {}
    for number, text in enumerate(texts):
        marker = marker_of(text)
        latest[marker if marker != _USUAL else str(number)] = text.lstrip().removeprefix(marker).strip("\n")
    bodies = sorted(latest.values(), key=lambda body: (not body.startswith("## ❌"), body.startswith("## ✅")))
    titles = [f"- {_title(body)}" for body in bodies] if len(bodies) > 1 else []
    head = "\n".join([f"<!-- flowyard pipeline: {name} -->", *titles, *([""] if titles else [])])
    share = (most - _size(head) - len(_CUT)) // max(len(bodies), 1)
    return "\n".join([head, *(_shortened(f"{body}\n", share) for body in bodies)])


def _title(body: str) -> str:
    return body.split("\n", 1)[0].removeprefix("## ")[:200]


def fitted(text: str, marker: str, most: int) -> str:
    """The text with its marker first, cut at the end of a line where it is too long."""
    return _shortened(text if text.lstrip().startswith(marker) else f"{marker}\n{text}", most)


def _shortened(whole: str, most: int) -> str:
    if _size(whole) <= most:
        return whole
    kept, size = [], _size(_CUT)
    for line in whole.split("\n"):
        size += _size(line) + 1
        if size > most:
            break
        kept.append(line)
    return "\n".join(kept) + _CUT


def _size(text: str) -> int:
    return len(text) + sum(letter > "\uffff" for letter in text)
