"""What objects show of themselves: aligned text in a terminal, escaped tables in a notebook.

Names, values and messages come from data, models and files of others. In a terminal nothing of them is a control
character, in a notebook nothing of them is markup.
"""

from __future__ import annotations

import html
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

__all__ = ["cell_text", "facts_html", "facts_text", "plain", "table_html", "table_text"]

_WIDEST = 60
_MOST_ROWS = 20
_CELL = "padding:2px 8px;text-align:left;vertical-align:top"


def plain(text: str) -> str:
    """The text without line breaks and control characters, which become blanks."""
    return "".join(letter if letter.isprintable() else " " for letter in text)


def cell_text(value: Any, most: int = _WIDEST) -> str:
    """A value as one short line; numbers with four digits after the point, nothing for None and NaN."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, float) and math.isfinite(value):
        shown = f"{value:.4f}".rstrip("0").rstrip(".") if abs(value) >= 0.0001 or not value else f"{value:.2g}"
        return "0" if shown == "-0" else shown
    text = plain(str(value))
    return text if len(text) <= most else f"{text[: most - 1]}…"


def table_text(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """Columns that stand below each other; of more than twenty rows, the first twenty."""
    shown = [[cell_text(name) for name in columns], *([cell_text(value) for value in row] for row in rows[:_MOST_ROWS])]
    widths = [max(len(row[place]) for row in shown) for place in range(len(columns))]
    lines = ["  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in shown]
    return "\n".join([*lines, *_left_out(rows)])


def facts_text(title: str, facts: Mapping[str, Any]) -> str:
    """A title, and below it what is known, one fact a line; facts without a value are left out."""
    known = _known(facts)
    width = max((len(name) for name, _ in known), default=0)
    return "\n".join([plain(title), *(f"  {plain(name).ljust(width)}  {text}" for name, text in known)])


def table_html(columns: Sequence[str], rows: Sequence[Sequence[Any]], caption: str = "") -> str:
    """The same as a table of HTML; everything is escaped."""
    head = "".join(f'<th scope="col" style="{_CELL}">{_escaped(name)}</th>' for name in columns)
    body = "".join(f"<tr>{''.join(_cell(value) for value in row)}</tr>" for row in rows[:_MOST_ROWS])
    below = "".join(f"<p>{_escaped(text)}</p>" for text in _left_out(rows))
    title = f"<caption>{_escaped(caption)}</caption>" if caption else ""
    return f"<table>{title}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{below}"


def facts_html(title: str, facts: Mapping[str, Any]) -> str:
    """A title and a table of what is known; everything is escaped."""
    rows = "".join(
        f'<tr><th scope="row" style="{_CELL}">{_escaped(name)}</th><td style="{_CELL}">{_escaped(text)}</td></tr>'
        for name, text in _known(facts)
    )
    return f"<p><strong>{_escaped(title)}</strong></p><table><tbody>{rows}</tbody></table>"


def _known(facts: Mapping[str, Any]) -> list[tuple[str, str]]:
    shown = ((name, cell_text(value, most=200)) for name, value in facts.items())
    return [(name, text) for name, text in shown if text]


def _left_out(rows: Sequence[Any]) -> Iterable[str]:
    return [f"… and {len(rows) - _MOST_ROWS:,} more"] if len(rows) > _MOST_ROWS else []


def _cell(value: Any) -> str:
    return f'<td style="{_CELL}">{_escaped(cell_text(value))}</td>'


def _escaped(text: str) -> str:
    return html.escape(plain(text), quote=True)
