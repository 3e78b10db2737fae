"""What a set of role permissions allows, as Azure reckons it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

__all__ = ["allows"]


def allows(permissions: Iterable[Mapping[str, Any]], action: str, *, is_data: bool = False) -> bool:
    """Whether one of the permissions has the action and does not take it out again. ``*`` stands for any text."""
    some, none = ("dataActions", "notDataActions") if is_data else ("actions", "notActions")
    return any(_has(each.get(some), action) and not _has(each.get(none), action) for each in permissions)


def _has(patterns: Any, action: str) -> bool:
    listed = patterns if isinstance(patterns, list) else []
    return any(_pattern(str(each)).fullmatch(action) for each in listed)


def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(".*".join(map(re.escape, re.split(r"\*+", text))), re.IGNORECASE)
