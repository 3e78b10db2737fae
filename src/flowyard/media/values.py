"""Going through nested values."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

__all__ = ["UNCHANGED", "find_values", "may_hold_media", "replace_values"]

UNCHANGED: Final = object()
"""What a replacement answers to leave a value, and to be asked about what is in it."""

Replace = Callable[[Any, str], Any]


def replace_values(value: Any, replace: Replace, where: str = "") -> Any:
    """The value with each part for which ``replace(part, where)`` does not answer UNCHANGED replaced by the answer.

    Goes into lists, tuples and dict values, from the outside in; ``where`` reads like ``photos[0].cover``. Containers
    in which nothing changes keep their identity.
    """
    answer = replace(value, where)
    if answer is not UNCHANGED:
        return answer
    if isinstance(value, dict):
        items = {
            key: replace_values(item, replace, f"{where}.{key}" if where else str(key)) for key, item in value.items()
        }
        return value if all(items[key] is value[key] for key in value) else items
    if isinstance(value, list | tuple):
        parts = [replace_values(item, replace, f"{where}[{index}]") for index, item in enumerate(value)]
        same = all(new is old for new, old in zip(parts, value, strict=True))
        return value if same else parts if isinstance(value, list) else tuple(parts)
    return value


def may_hold_media(value: Any) -> bool:
    """Whether a value has a map anywhere, which could be a picture's; quick to say no."""
    try:
        return next(find_values(value, dict), None) is not None
    except RecursionError:  # whoever looks closer says so
        return True


def find_values(value: Any, kind: type | tuple[type, ...]) -> Iterator[Any]:
    """Every part of this class in lists, tuples and dict values, in order."""
    if isinstance(value, kind):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from find_values(item, kind)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from find_values(item, kind)
