"""Values as the page shows them: shortened, compared with the first variant, and never as markup."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any

from flowyard.records import LineResult
from flowyard.reports.lines import LineRow
from flowyard.reports.values import same_value, value_text

__all__ = ["Field", "Segment", "fields_side_by_side", "shared_inputs"]

_PREVIEW_LETTERS, _PREVIEW_LINES = 280, 6
_MOST_LETTERS = 10_000
_MOST_COMPARED = 2_000
_WORD = re.compile(r"\s+|\d+\.\d+|\w+|[^\w\s]")


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of text; ``changed`` when the first variant does not have it there."""

    text: str
    changed: bool = False


@dataclass(frozen=True, slots=True)
class Field:
    """One named value. ``preview`` is None when the text is short; ``cut`` letters are left out of a huge one."""

    name: str
    segments: tuple[Segment, ...]
    differs: bool = False
    preview: str | None = None
    letters: int = 0
    cut: int = 0


def shared_inputs(line: LineRow) -> tuple[Field, ...] | None:
    """The inputs when every variant read the same ones, else None."""
    found = [cell.line.inputs for cell in line.cells if cell.line is not None]
    if not found or any(not same_value(found[0], other) for other in found[1:]):
        return None
    return tuple(_field(name, value_text(value)) for name, value in found[0].items())


def fields_side_by_side(results: Sequence[LineResult | None], values: str = "outputs") -> list[tuple[Field, ...]]:
    """The fields of each variant's result, with what differs marked. ``values`` is ``inputs`` or ``outputs``."""
    mappings: list[Mapping[str, Any] | None] = [None if line is None else getattr(line, values) for line in results]
    known = [mapping for mapping in mappings if mapping]
    names = dict.fromkeys(name for mapping in known for name in mapping)
    differing = {name for name in names if _differs(name, known)}
    first = known[0] if known else {}
    columns = [mapping or {} for mapping in mappings]
    return [tuple(_compared(name, first, own, name in differing) for name in own) for own in columns]


def _differs(name: str, known: Sequence[Mapping[str, Any]]) -> bool:
    present = [mapping[name] for mapping in known if name in mapping]
    return len(present) < len(known) or any(not same_value(present[0], value) for value in present[1:])


def _compared(name: str, first: Mapping[str, Any], own: Mapping[str, Any], differs: bool) -> Field:
    text = value_text(own[name])
    if differs and own is not first and name in first:
        return _field(name, text, value_text(first[name]), differs=True)
    return _field(name, text, differs=differs)


def _field(name: str, text: str, base: str | None = None, *, differs: bool = False) -> Field:
    shown = text[:_MOST_LETTERS]
    segments = (Segment(shown),) if base is None else _segments(base, shown)
    return Field(name, segments, differs, _preview(text), len(text), len(text) - len(shown))


def _preview(text: str) -> str | None:
    lines = text.split("\n", _PREVIEW_LINES)
    start = "\n".join(lines[:_PREVIEW_LINES])[:_PREVIEW_LETTERS]
    return start if len(start) < len(text) else None


def _segments(base: str, text: str) -> tuple[Segment, ...]:
    """Word by word against the first variant; whole when they are too long or too unlike for that to help."""
    if max(len(base), len(text)) > _MOST_COMPARED:
        return (Segment(text),)
    matcher = SequenceMatcher(None, _WORD.findall(base), words := _WORD.findall(text), autojunk=False)
    if len(words) < 3 or matcher.ratio() < 0.4:
        return (Segment(text),)
    parts = ((tag != "equal", "".join(words[start:end])) for tag, _, _, start, end in matcher.get_opcodes())
    return tuple(Segment(part, changed) for changed, part in parts if part)
