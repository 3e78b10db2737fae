"""A notice as plain JSON, for any program; docs/notifications.md has the fields."""

from __future__ import annotations

from typing import Any

from flowyard.notify.model import Notice

__all__ = ["json_message"]


def json_message(notice: Notice) -> dict[str, Any]:
    """The body of the request."""
    return {
        "format": "flowyard notice 1",
        "title": notice.title,
        "text": notice.text,
        "rows": [{"name": name, "value": value} for name, value in notice.rows],
        "links": [{"label": link.label, "url": link.url} for link in notice.links],
    }
