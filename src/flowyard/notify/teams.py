"""A notice for a Teams workflow ("when a Teams webhook request is received"), as an Adaptive Card.

Connectors of Office 365 with their message cards are retired; the webhook of a workflow takes what stands here. All
text of others is in text runs, because text blocks and fact sets read Markdown.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from flowyard.notify.model import Notice
from flowyard.notify.plain import one_line, plain_text

__all__ = ["teams_message"]

_TITLE = 200
_TEXT = 1000
_VALUE = 200
_ROOM = 16_000
"""Bytes that rows may take together, because Teams takes 28 KB at most."""
_MOST_LINKS = 6
"""Actions that a card shows."""


def teams_message(notice: Notice) -> dict[str, Any]:
    """The body of the request."""
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "fallbackText": one_line(notice.title, _TITLE),
        "msteams": {"width": "Full"},
        "body": [
            _text(one_line(notice.title, _TITLE), size="large", weight="bolder"),
            *(_text(line) for line in plain_text(notice.text, _TEXT).splitlines() if line),
            *_rows(notice.rows),
        ],
        "actions": [
            {"type": "Action.OpenUrl", "title": one_line(link.label, 75), "url": link.url}
            for link in notice.links[:_MOST_LINKS]
        ],
    }
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": card}
    return {"type": "message", "attachments": [attachment]}


def _rows(rows: Sequence[tuple[str, str]]) -> Iterator[dict[str, Any]]:
    """As many as there is room for, and how many are left out."""
    room = _ROOM
    for place, (name, value) in enumerate(rows):
        row = _row(name, value)
        room -= len(json.dumps(row))
        if room < 0:
            yield _text(f"… and {len(rows) - place} more")
            return
        yield row


def _row(name: str, value: str) -> dict[str, Any]:
    names = {"type": "Column", "width": 2, "items": [_text(one_line(name, _VALUE), weight="bolder")]}
    values = {"type": "Column", "width": 3, "items": [_text(one_line(value, _VALUE))]}
    return {"type": "ColumnSet", "spacing": "small", "columns": [names, values]}


def _text(text: str, **style: str) -> dict[str, Any]:
    run = {"type": "TextRun", "text": text or "–", **style}
    return {"type": "RichTextBlock", "inlines": [run]}
