"""Any text as literal Markdown: no formatting, link, picture, HTML, mention or reference comes out of it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from flowyard.reports.values import one_line

__all__ = ["literal", "table_lines", "tamed"]

_NOTHING = "\u200b"
"""A space without width: it parts what GitHub and Azure DevOps would make a mention, a reference or a link of."""

_PARTED = (
    (re.compile(r"@(?=[\w<])"), f"@{_NOTHING}"),  # a mention of a person or a team, an e-mail address
    (re.compile(r"#(?=\d)"), f"#{_NOTHING}"),  # an issue or a work item
    (re.compile(r"!(?=\d)"), f"!{_NOTHING}"),  # a pull request of Azure DevOps
    (re.compile(r"\b(gh-)(?=\d)", re.IGNORECASE), rf"\1{_NOTHING}"),  # an issue
    (re.compile(r":(?=//)"), f":{_NOTHING}"),  # an address
    (re.compile(r"\b(mailto|xmpp)(?=:)", re.IGNORECASE), rf"\1{_NOTHING}"),
    (re.compile(r"\b(www)(?=\.)", re.IGNORECASE), rf"\1{_NOTHING}"),
    (re.compile(r":(?=[\w+-]+:)"), f":{_NOTHING}"),  # an emoji by name
)
_MARKUP = re.compile(r"[&<>|`$\\*\[\]~]|(?<![^\W_])_|_(?![^\W_])|^[#+=-](?=[\s#+=-]|$)|^\d+(?=[.)](?:\s|$))")
"""What formats: anywhere in a line, or at its start; an underscore only where it is not between letters."""

_MARKER = re.compile(r"<!-- flowyard[A-Za-z0-9 :._()-]{0,200}-->")
_KEPT = re.compile(
    r"<br>|</?sub>|&#(?:36|38|42|60|62|9[1-3]|9[56]|124|126);"
    r"|(?<![#!@:;\w-])(?:&#35;(?!\d|&#)|&#(?:43|45|61);|(?:&#(?:4[89]|5[0-7]);)+)"
)
"""What our reports have of HTML: line breaks, small print, and the letters that ``literal`` writes by their numbers.

Some it writes at the start of a text only; elsewhere they could be part of a mention or a reference: ``gh&#45;1``.
"""
_SMALL = re.compile(r"<sub>[^<|\n]*</sub>")
"""A tag without its other half is no HTML: what stands around it would come together, such as ``@</sub>name``."""
_ACTIVE = re.compile(r"[&<>`$\[\]\\]")
_UNSEEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]")


def literal(text: str, *, most: int = 200) -> str:
    """Text of any origin on one line, shortened to ``most`` characters, so that it is shown as it is."""
    shown = one_line(text.encode("utf-8", "backslashreplace").decode(), most=most)
    for pattern, replacement in _PARTED:
        shown = pattern.sub(replacement, shown)
    return _MARKUP.sub(lambda found: "".join(f"&#{ord(letter)};" for letter in found[0]), shown)


def tamed(text: str) -> str:
    """A whole report that somebody else may have written: its tables and headings, and nothing that could do more.

    No link, picture, HTML, code, mention or reference is left; a report of ours reads as before. The first line may be
    the comment by which it is found again.
    """
    first, line_break, rest = text.partition("\n")
    if _MARKER.fullmatch(first.strip()):
        return f"{first.strip()}{line_break}{_tamed(rest)}"
    return _tamed(text)


def _tamed(text: str) -> str:
    shown = _UNSEEN.sub("", text)
    paired = {place for pair in _SMALL.finditer(shown) for place in (pair.start(), pair.end() - len("</sub>"))}
    pieces, end = [], 0
    for kept in _KEPT.finditer(shown):
        if kept[0].endswith("sub>") and kept.start() not in paired:
            continue
        pieces += [_quiet(shown[end : kept.start()]), kept[0]]
        end = kept.end()
    return "".join(pieces) + _quiet(shown[end:])


def _quiet(text: str) -> str:
    for pattern, replacement in _PARTED:
        text = pattern.sub(replacement, text)
    return _ACTIVE.sub(lambda found: f"&#{ord(found[0])};", text)


def table_lines(columns: Sequence[str], *, numbers: Sequence[int] = ()) -> list[str]:
    """The two lines that begin a table; columns at the places ``numbers`` are aligned right."""
    rule = ("---:" if place in numbers else "---" for place in range(len(columns)))
    return [f"| {' | '.join(columns)} |", f"| {' | '.join(rule)} |"]
