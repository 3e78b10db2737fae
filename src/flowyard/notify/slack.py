"""A notice for an incoming webhook of Slack, in Block Kit.

Names and values are ``plain_text``, in which Slack sees neither links nor ``<!channel>``. Links are text and no
buttons, because a button makes Slack ask an app that does not exist.
"""

from __future__ import annotations

from typing import Any

from flowyard.notify.model import Link, Notice
from flowyard.notify.plain import one_line, plain_text

__all__ = ["slack_message"]

_TITLE = 150
_TEXT = 2900
_VALUE = 300
_ROWS = 5
"""Rows of one section, which may have ten fields."""
_MOST_ROWS = 100


def slack_message(notice: Notice) -> dict[str, Any]:
    """The body of the request."""
    rows = list(notice.rows)[:_MOST_ROWS]
    sections = [_rows(rows[start : start + _ROWS]) for start in range(0, len(rows), _ROWS)]
    blocks = [
        {"type": "header", "text": _plain(one_line(notice.title, _TITLE))},
        {"type": "section", "text": _plain(plain_text(notice.text, _TEXT))},
        *sections,
        *([{"type": "section", "text": _links(notice)}] if notice.links else []),
    ]
    # People see this line where there is no room for blocks; it is the one place that Slack reads as markup.
    return {
        "text": _escaped(one_line(notice.title, _TITLE)),
        "blocks": blocks,
        "unfurl_links": False,
        "unfurl_media": False,
    }


def _rows(rows: list[tuple[str, str]]) -> dict[str, Any]:
    return {"type": "section", "fields": [_plain(one_line(text, _VALUE) or "–") for row in rows for text in row]}


def _plain(text: str) -> dict[str, Any]:
    return {"type": "plain_text", "text": text or "–", "emoji": False}


def _links(notice: Notice) -> dict[str, Any]:
    """As many as a section takes: with one character more, Slack would refuse the whole message."""
    shown = ""
    for link in notice.links:
        longer = f"{shown}   {_link(link)}".strip()
        if len(longer) > _TEXT:
            break
        shown = longer
    return {"type": "mrkdwn", "text": shown or "–", "verbatim": True}


def _link(link: Link) -> str:
    url = link.url.replace("|", "%7C").replace(">", "%3E").replace("<", "%3C").replace("&", "&amp;")
    return f"<{url}|{_escaped(one_line(link.label, 75)).replace('|', '/')}>"


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
