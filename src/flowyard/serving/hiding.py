"""Values that records and traces must not hold, by the names they go by."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from flowyard._util.redact import HIDDEN

__all__ = ["hidden_values", "without"]

_DEEPEST = 50


def without(value: Any, names: Collection[str], depth: int = 0) -> Any:
    """The value with everything of these names replaced, however deep it lies in mappings and lists."""
    if not names:
        return value
    if depth > _DEEPEST:
        return HIDDEN
    if isinstance(value, Mapping):
        return {name: HIDDEN if name in names else without(inner, names, depth + 1) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [without(inner, names, depth + 1) for inner in value]
    return value


def hidden_values(value: Any, names: Collection[str]) -> list[str]:
    """The texts and numbers of these names, which must not be seen elsewhere either: in a prompt, say, or an error."""
    return list(dict.fromkeys(_hidden(value, names, is_hidden=False, depth=0))) if names else []


def _hidden(value: Any, names: Collection[str], *, is_hidden: bool, depth: int) -> Iterator[str]:
    if depth > _DEEPEST:
        return
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _hidden(inner, names, is_hidden=is_hidden or name in names, depth=depth + 1)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _hidden(inner, names, is_hidden=is_hidden, depth=depth + 1)
    elif is_hidden and isinstance(value, str | int | float) and not isinstance(value, bool):
        yield str(value)
