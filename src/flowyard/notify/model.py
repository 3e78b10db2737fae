"""What is told to people, whatever the way it goes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Link", "Notice"]


@dataclass(frozen=True, slots=True)
class Link:
    """Where a person goes from a notice. ``label`` is what a button says."""

    label: str
    url: str


@dataclass(frozen=True, slots=True)
class Notice:
    """A message. ``rows`` are (name, value) pairs that people decide on, such as metrics; all of it is plain text."""

    title: str
    text: str
    rows: Sequence[tuple[str, str]] = ()
    links: Sequence[Link] = ()
