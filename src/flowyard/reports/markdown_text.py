"""Any text as literal Markdown: no formatting, link, picture, HTML, mention or reference comes out of it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from flowyard.reports.values import one_line

__all__ = ["literal", "table_lines"]

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


def literal(text: str, *, most: int = 200) -> str:
    """Text of any origin on one line, shortened to ``most`` characters, so that it is shown as it is."""
    shown = one_line(text.encode("utf-8", "backslashreplace").decode(), most=most)
    for pattern, replacement in _PARTED:
        shown = pattern.sub(replacement, shown)
    return _MARKUP.sub(lambda found: "".join(f"&#{ord(letter)};" for letter in found[0]), shown)


def table_lines(columns: Sequence[str], *, numbers: Sequence[int] = ()) -> list[str]:
    """The two lines that begin a table; columns at the places ``numbers`` are aligned right."""
    rule = ("---:" if place in numbers else "---" for place in range(len(columns)))
    return [f"| {' | '.join(columns)} |", f"| {' | '.join(rule)} |"]
